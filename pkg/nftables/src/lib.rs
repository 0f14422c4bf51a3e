//! nf_tables over netlink: tables, chains, sets, elements and rules as types, transactions, dumps
//! and a monitor; and the connection tracking entries that go with them. Needs neither the `nft`
//! program nor a C library.
//!
//! ```no_run
//! use kedge_nftables::{
//!     Batch, Chain, ChainType, DataType, Element, Family, Hook, Reg, Rule, Set, Socket, Table,
//!     Verdict, expr,
//! };
//!
//! # fn main() -> Result<(), kedge_nftables::Error> {
//! let table = Table::new(Family::Ip, "example");
//! let mut batch = Batch::new();
//! batch.add_table(&table);
//! batch.add_chain(&table, &Chain::base("input", ChainType::Filter, Hook::Input, 0));
//! let blocked = batch.add_set(&table, &Set::set("blocked", DataType::Ipv4Addr));
//! batch.add_elements(&table, &blocked, &[Element::new(std::net::Ipv4Addr::new(192, 0, 2, 1))]);
//! batch.add_rule(&table, "input", &Rule::default()
//!     .with(expr::Payload::ip_saddr(Reg::R0))
//!     .with(expr::Lookup::found(Reg::R0, &blocked))
//!     .with(Verdict::Drop));
//! let mut socket = Socket::open()?;
//! socket.commit(&batch)?;
//! for element in socket.elements(&table, "blocked")? {
//!     println!("{}", element.key);
//! }
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod batch;
mod bits;
mod chain;
mod commit;
mod connection;
pub mod conntrack;
mod datatype;
mod element;
mod error;
pub mod expr;
mod family;
mod generation;
mod monitor;
mod operation;
pub mod probe;
mod register;
mod rule;
mod set;
mod socket;
mod table;
pub mod uapi;
mod userdata;
mod value;
mod verdict;
pub mod wire;

pub use batch::Batch;
pub use chain::{Base, Chain, ChainType, Hook, Policy};
pub use datatype::{DataType, SetType, Typeof};
pub use element::{Data, DataRef, Element, ElementRef};
pub use error::Error;
pub use expr::Expr;
pub use family::Family;
pub use generation::Generation;
pub use monitor::{Change, Event, Monitor, NewGeneration};
pub use operation::{Action, Failure, ObjectKind, Operation};
pub use register::Reg;
pub use rule::{ListedRule, Rule};
pub use set::{MapData, Set, SetFlags, SetRef};
pub use socket::Socket;
pub use table::{Table, TableFlags};
pub use value::Value;
pub use verdict::Verdict;
