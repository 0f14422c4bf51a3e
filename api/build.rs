//! Takes the texts of the schemas out of `k8s-openapi`, and of this crate's own definitions, at build time. At run time they would cost the process 2 MB of
//! memory and 1.4 MB of code for the sake of documents that are rarely asked for; compressed they are 67 KB of the binary.

use std::io::Write as _;
use std::path::PathBuf;
use std::{env, error, fs};

use flate2::Compression;
use flate2::write::DeflateEncoder;
use k8s_openapi::api::{
    apps::v1 as apps, authentication::v1 as authentication, authorization::v1 as authorization,
    autoscaling::v1 as autoscaling, batch::v1 as batch, certificates::v1 as certificates,
    coordination::v1 as coordination, core::v1 as core, discovery::v1 as discovery,
    events::v1 as events, networking::v1 as networking, node::v1 as node, policy::v1 as policy,
    rbac::v1 as rbac, scheduling::v1 as scheduling, storage::v1 as storage,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1 as apiextensions;
use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use schemars::SchemaGenerator;
use serde_json::{Map, Value};

/// Schemas of kinds that Kubernetes does not define, in the same form.
const OWN: &str = "data/metallb.io.json";

fn main() -> Result<(), Box<dyn error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={OWN}");
    let folder = PathBuf::from(env::var("OUT_DIR")?);
    let mut schemas = json_schemas();
    let own: Map<String, Value> = serde_json::from_str(&fs::read_to_string(OWN)?)?;
    schemas.extend(own);
    fs::write(folder.join("schemas.json"), serde_json::to_vec(&schemas)?)?;
    let mut compressed = DeflateEncoder::new(Vec::new(), Compression::best());
    compressed.write_all(texts(&schemas).as_bytes())?;
    fs::write(folder.join("descriptions.deflate"), compressed.finish()?)?;
    Ok(())
}

/// JSON schemas of every definition that a built-in kind reaches, by OpenAPI name.
fn json_schemas() -> Map<String, Value> {
    let mut generator = SchemaGenerator::default();
    generator.subschema_for::<apiextensions::CustomResourceDefinition>();
    generator.subschema_for::<apps::ControllerRevision>();
    generator.subschema_for::<apps::DaemonSet>();
    generator.subschema_for::<apps::Deployment>();
    generator.subschema_for::<apps::ReplicaSet>();
    generator.subschema_for::<apps::StatefulSet>();
    generator.subschema_for::<authentication::SelfSubjectReview>();
    generator.subschema_for::<authentication::TokenRequest>();
    generator.subschema_for::<authentication::TokenReview>();
    generator.subschema_for::<authorization::LocalSubjectAccessReview>();
    generator.subschema_for::<authorization::SelfSubjectAccessReview>();
    generator.subschema_for::<authorization::SelfSubjectRulesReview>();
    generator.subschema_for::<authorization::SubjectAccessReview>();
    generator.subschema_for::<autoscaling::Scale>();
    generator.subschema_for::<batch::CronJob>();
    generator.subschema_for::<batch::Job>();
    generator.subschema_for::<certificates::CertificateSigningRequest>();
    generator.subschema_for::<coordination::Lease>();
    generator.subschema_for::<core::Binding>();
    generator.subschema_for::<core::ConfigMap>();
    generator.subschema_for::<core::Endpoints>();
    generator.subschema_for::<core::Event>();
    generator.subschema_for::<core::Namespace>();
    generator.subschema_for::<core::Node>();
    generator.subschema_for::<core::Pod>();
    generator.subschema_for::<core::PodTemplate>();
    generator.subschema_for::<core::Secret>();
    generator.subschema_for::<core::Service>();
    generator.subschema_for::<core::ServiceAccount>();
    generator.subschema_for::<discovery::EndpointSlice>();
    generator.subschema_for::<events::Event>();
    generator.subschema_for::<networking::IPAddress>();
    generator.subschema_for::<networking::Ingress>();
    generator.subschema_for::<networking::IngressClass>();
    generator.subschema_for::<networking::NetworkPolicy>();
    generator.subschema_for::<networking::ServiceCIDR>();
    generator.subschema_for::<node::RuntimeClass>();
    generator.subschema_for::<policy::Eviction>();
    generator.subschema_for::<policy::PodDisruptionBudget>();
    generator.subschema_for::<rbac::ClusterRole>();
    generator.subschema_for::<rbac::ClusterRoleBinding>();
    generator.subschema_for::<rbac::Role>();
    generator.subschema_for::<rbac::RoleBinding>();
    generator.subschema_for::<scheduling::PriorityClass>();
    generator.subschema_for::<storage::CSIDriver>();
    generator.subschema_for::<storage::CSINode>();
    generator.subschema_for::<storage::StorageClass>();
    generator.subschema_for::<meta::DeleteOptions>();
    generator.subschema_for::<meta::ListMeta>();
    generator.subschema_for::<meta::Status>();
    generator.take_definitions(true)
}

/// Records of definition, field (empty for the definition itself) and text, in order, parted by ASCII's own separators.
fn texts(schemas: &Map<String, Value>) -> String {
    let mut records = Vec::new();
    for (name, schema) in schemas {
        let fields = schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten();
        for (field, part) in fields.map(|(f, p)| (f.as_str(), p)).chain([("", schema)]) {
            if let Some(text) = part.get("description").and_then(Value::as_str) {
                records.push(format!("{name}\x1f{field}\x1f{text}"));
            }
        }
    }
    records.sort();
    records.join("\x1e")
}
