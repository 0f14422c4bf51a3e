use std::net::Ipv4Addr;
use std::time::Duration;

use rstest::rstest;

use super::*;
use crate::family::Family;
use crate::register::Reg;
use crate::value::Value;

fn round_trip(expression: &Expr) -> Expr {
    let mut w = Writer::default();
    expression.encode(&mut w);
    let attribute = Attributes::new(w.as_bytes()).next().unwrap().unwrap();
    Expr::decode(attribute).unwrap()
}

#[rstest]
#[case(Meta::load(MetaKey::L4proto, Reg::R4).into())]
#[case(Meta::set(MetaKey::Mark, Reg::R0).into())]
#[case(Meta::load(MetaKey::Other(99), Reg::R0).into())]
#[case(Ct::load(CtKey::Mark, Reg::R0).into())]
#[case(Ct::load_of(CtKey::DstIp, CtDirection::Original, Reg::R0).into())]
#[case(Ct::set(CtKey::Mark, Reg::R3).into())]
#[case(Payload::ip_saddr(Reg::R0).into())]
#[case(Payload::ip6_daddr(Reg::R4).into())]
#[case(Payload::th_dport(Reg::R9).into())]
#[case(Payload::th_sport(Reg::R9).into())]
#[case(Cmp::eq(Reg::R0, Value::byte(6)).into())]
#[case(Cmp::neq(Reg::R0, Ipv4Addr::new(10, 42, 0, 0)).into())]
#[case(Cmp::new(Reg::R0, CmpOp::Gte, Value::port(30_000)).into())]
#[case(Range { sreg: Reg::R1, inverted: true, from: Value::port(1), to: Value::port(9) }.into())]
#[case(Bitwise::and(Reg::R0, 0xffff_f000).into())]
#[case(Bitwise::and_bytes(Reg::R0, Ipv4Addr::new(255, 240, 0, 0)).into())]
#[case(Byteorder::hton(Reg::R0).into())]
#[case(Lookup::found(Reg::R0, "hairpin").into())]
#[case(Lookup::not_found(Reg::R0, "src").into())]
#[case(Lookup::data(Reg::R0, "eps", Reg::R1).into())]
#[case(Lookup::verdict(Reg::R0, "class").into())]
#[case(Immediate::value(Reg::R2, Value::host(7)).into())]
#[case(Verdict::jump("services").into())]
#[case(Nat::dnat(Family::Ip, Reg::R0, Reg::R1).into())]
#[case(Nat { proto_max: Some(Reg::R2), flags: NatFlags::RANDOM, ..Nat::dnat(Family::Ip6, Reg::R0, Reg::R4) }.into())]
#[case(Nat::snat(Family::Ip6, Reg::R8).into())]
#[case(Masquerade::fully_random().into())]
#[case(Masquerade { proto: Some(Reg::R0), proto_max: Some(Reg::R1), ..Masquerade::default() }.into())]
#[case(Reject::TcpReset.into())]
#[case(Reject::ICMP_PORT_UNREACHABLE.into())]
#[case(Reject::Icmpx(1).into())]
#[case(Numgen::random(3, Reg::R1).into())]
#[case(Numgen { kind: NumgenKind::Incremental, offset: 5, ..Numgen::random(64, Reg::R0) }.into())]
#[case(Dynset::update("aff-6", Reg::R0, Some(Reg::R1), Some(Duration::from_secs(10_800))).into())]
#[case(Dynset { op: DynsetOp::Add, inverted: true, ..Dynset::update("s", Reg::R0, None, None) }.into())]
#[case(Fib::daddr_type(Reg::R0).into())]
#[case(Counter { packets: 1, bytes: 60 }.into())]
#[case(Expr::Other { name: "log".into(), data: vec![8, 0, 1, 0, 1, 2, 3, 4] })]
fn every_expression_comes_back(#[case] expression: Expr) {
    assert_eq!(round_trip(&expression), expression);
}

#[test]
fn a_form_without_a_type_is_kept_as_it_is() {
    // `bitwise` with a shift has an operation and its amount, no mask.
    let mut data = Writer::default();
    Reg::R0.encode(nft::NFTA_BITWISE_SREG, &mut data);
    Reg::R0.encode(nft::NFTA_BITWISE_DREG, &mut data);
    data.be32(nft::NFTA_BITWISE_OP, nft::NFT_BITWISE_LSHIFT);
    let shift = Expr::Other {
        name: "bitwise".to_owned(),
        data: data.into_bytes(),
    };
    assert_eq!(round_trip(&shift), shift);
}

#[test]
fn a_range_of_one_is_a_single_address() {
    let mut w = Writer::default();
    w.nested(nft::NFTA_LIST_ELEM, |w| {
        w.string(nft::NFTA_EXPR_NAME, "nat");
        w.nested(nft::NFTA_EXPR_DATA, |w| {
            w.be32(nft::NFTA_NAT_TYPE, nft::NFT_NAT_DNAT);
            w.be32(nft::NFTA_NAT_FAMILY, 2);
            for kind in [nft::NFTA_NAT_REG_ADDR_MIN, nft::NFTA_NAT_REG_ADDR_MAX] {
                Reg::R0.encode(kind, w);
            }
            for kind in [nft::NFTA_NAT_REG_PROTO_MIN, nft::NFTA_NAT_REG_PROTO_MAX] {
                Reg::R1.encode(kind, w);
            }
            w.be32(nft::NFTA_NAT_FLAGS, 3);
        });
    });
    let attribute = Attributes::new(w.as_bytes()).next().unwrap().unwrap();
    let want = Nat::dnat(Family::Ip, Reg::R0, Reg::R1);
    assert_eq!(Expr::decode(attribute).unwrap(), want.into());
}

#[test]
fn meta_is_laid_out_as_the_kernel_reads_it() {
    let mut w = Writer::default();
    Expr::from(Meta::load(MetaKey::L4proto, Reg::R0)).encode(&mut w);
    let n = |n: u16| n.to_ne_bytes();
    let mut want = [n(36), n(0x8001), n(9), n(1)].concat();
    want.extend_from_slice(b"meta\0\0\0\0");
    want.extend_from_slice(&[n(20), n(0x8002), n(8), n(2)].concat());
    want.extend_from_slice(&[0, 0, 0, 16]);
    want.extend_from_slice(&[n(8), n(1)].concat());
    want.extend_from_slice(&[0, 0, 0, 1]);
    assert_eq!(w.as_bytes(), want);
}
