//! Kinds that are asked and answered, and never stored.

use jiff::Timestamp;
use kedge_machinery::{Object, Status};

use crate::admission::{Attributes, NodeRestriction, Operation};
use crate::registry::Registry;
use crate::request::{Target, WriteOptions};
use crate::user::User;

/// A question, as its schema knows it.
#[derive(Debug, Clone)]
pub struct Question {
    pub object: Object,
    /// Texts for `Warning` headers.
    pub warnings: Vec<String>,
    /// True when nothing is to come of it.
    pub dry_run: bool,
}

impl Registry {
    /// Refuses a TokenRequest for an account by a node where the token is not one of a Pod that runs there.
    pub fn admit_token(
        &self,
        account: &Target,
        user: &User,
        request: &Object,
    ) -> Result<(), Status> {
        let snapshot = self.store().snapshot();
        let attributes = Attributes {
            operation: Operation::Create,
            target: account,
            user: Some(user),
            old: None,
            dry_run: false,
            view: self.view(&snapshot),
        };
        NodeRestriction::token(&attributes, request)
    }

    /// Reads the body of a POST that nothing is stored of: decoded, defaulted, and with the fields that the client set owned by it,
    /// as upstream's handler leaves every body. `target` has the kind of the body, and the subresource posted to.
    pub fn question(
        &self,
        target: &Target,
        object: Object,
        options: &WriteOptions,
    ) -> Result<Question, Status> {
        let decoded = self.decode(target, object, options)?;
        let mut object = decoded.object;
        self.own(target, None, &mut object, options, false, Timestamp::now());
        Ok(Question {
            object,
            warnings: decoded.warnings,
            dry_run: options.dry_run,
        })
    }
}
