//! GET of a collection, in pages of one revision.

use std::sync::Arc;

use jiff::Timestamp;
use kedge_api::Kind;
use kedge_machinery::Status;
use kedge_store::Entry;

use super::token::Token;
use super::{Selection, Selectors, history, revision};
use crate::keys;
use crate::registry::Registry;
use crate::request::{ListOptions, Page};
use crate::stored;

const TOO_OLD: &str = "The resourceVersion for the provided list is too old.";

const CONTINUE_TOO_OLD: &str = "The provided continue parameter is too old to display a consistent list result. \
    You can start a new list without the continue parameter, or use the continue token in this response to retrieve the \
    remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were \
    created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";

impl Registry {
    /// GET of a collection; an empty `namespace` means all. 410 when the revision asked for is no longer known: for a
    /// continue token, [`resume_token`] then makes the one that goes on with the latest state.
    pub fn list(
        &self,
        kind: &Arc<Kind>,
        namespace: &str,
        options: &ListOptions,
    ) -> Result<Page, Status> {
        // Upstream's order: what cannot be read, what does not go together, what the kind does not know.
        let selectors = Selectors::parse(&options.label_selector, &options.field_selector)?;
        let continued = !options.continue_token.is_empty();
        revision::check_list(options)?;
        let selection = Selection::of(kind, selectors)?;
        let now = Timestamp::now();
        let mut begun = now;
        let whole = keys::prefix(kind, namespace);
        let mut asked = 0;
        let (start, exact) = if continued {
            let token = Token::decode(&options.continue_token)?;
            if !matches!(options.resource_version.as_str(), "" | "0") {
                return Err(Status::bad_request(
                    "specifying resource version is not allowed when using continue",
                ));
            }
            if token.is_over(now) {
                return Err(Status::expired(CONTINUE_TOO_OLD));
            }
            begun = token.issued().unwrap_or(now);
            (
                Some(format!("{whole}{}", token.start)),
                u64::try_from(token.rv).ok(),
            )
        } else {
            asked = revision::parse_listed(&options.resource_version)?;
            // A limit without a match word means exactly that revision, for older clients.
            let exact = match options.resource_version_match.as_str() {
                "Exact" => true,
                "" => options.limit > 0,
                _ => false,
            };
            (None, (exact && asked > 0).then_some(asked))
        };
        let prefix = selection.prefix(namespace);
        let current = self.revision();
        let newest = exact.unwrap_or(asked);
        if newest > current {
            return Err(revision::too_large(newest, current));
        }
        let page = Paging {
            whole: &whole,
            limit: options.limit,
            selection: &selection,
            begun,
        };
        match exact {
            None => {
                let snapshot = self.store().snapshot();
                Ok(page.take(
                    snapshot.revision(),
                    snapshot.range(&prefix, start.as_deref()),
                ))
            }
            Some(exact) => {
                let (snapshot, past) =
                    history::range(self.store(), exact, &prefix, start.as_deref()).ok_or_else(
                        || Status::expired(if continued { CONTINUE_TOO_OLD } else { TOO_OLD }),
                    )?;
                Ok(page.take(exact, past.apply(snapshot.range(&prefix, start.as_deref()))))
            }
        }
    }
}

/// The token that goes on where `continue_token` would have, in the latest state: for `metadata.continue` of a 410.
#[must_use]
pub fn resume_token(continue_token: &str) -> Option<String> {
    let token = Token::decode(continue_token).ok()?;
    Some(Token::latest(&token.start).encode())
}

struct Paging<'a> {
    whole: &'a str,
    limit: usize,
    selection: &'a Selection,
    /// When the first page was asked for.
    begun: Timestamp,
}

impl Paging<'_> {
    fn take(&self, revision: u64, entries: impl Iterator<Item = Arc<Entry>>) -> Page {
        let mut matching = entries.filter(|entry| self.selection.matches(entry));
        let limit = if self.limit == 0 {
            usize::MAX
        } else {
            self.limit
        };
        let served = |entry| stored::entry(self.selection.kind(), entry);
        let items: Vec<_> = matching.by_ref().take(limit).map(served).collect();
        let mut page = Page {
            revision,
            items,
            continue_token: String::new(),
            remaining: None,
        };
        if page.items.len() < limit || matching.next().is_none() {
            return page;
        }
        let last = page
            .items
            .last()
            .and_then(|entry| entry.key.strip_prefix(self.whole));
        if let (Some(last), Ok(revision)) = (last, i64::try_from(revision)) {
            page.continue_token = Token::new(revision, last, self.begun).encode();
        }
        if self.selection.is_everything() {
            page.remaining = u64::try_from(matching.count() + 1).ok();
        }
        page
    }
}
