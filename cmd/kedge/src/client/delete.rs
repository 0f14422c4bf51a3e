//! `kedge delete`: one object by its name.

use http::Method;

use super::resources::Resources;
use super::{CommandError, connect};
use crate::args::DeleteArgs;

/// Deletes the object, its dependents after it.
pub async fn delete(args: DeleteArgs) -> Result<(), CommandError> {
    let client = connect(&args.connection)?;
    let resources = Resources::discover(&client).await?;
    let resource = resources.find(&args.kind)?;
    let path = format!(
        "{}/{}?propagationPolicy=Background",
        resource.path(Some(&args.namespace)),
        args.name
    );
    client.request(Method::DELETE, &path, &[], "").await?.ok()?;
    println!("{} deleted", resource.named(&args.name));
    Ok(())
}
