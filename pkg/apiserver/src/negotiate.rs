//! What to answer in: the `Accept` header (RFC 9110, 12.5.1) with Kubernetes' parameters `as`, `g`, `v`.

use kedge_api::{Kind, protobuf};
use kedge_machinery::Status;
use kedge_registry::MetaVersion;

/// The encoding of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Encoding {
    #[default]
    Json,
    Yaml,
    Protobuf,
    /// gnostic's message of an OpenAPI document of version 2.
    OpenApiV2,
}

/// What objects of built-in kinds, and refusals, are made in.
pub(crate) const RESOURCES: &[Encoding] = &[Encoding::Json, Encoding::Yaml, Encoding::Protobuf];
/// What is made of documents that have no message in protobuf.
pub(crate) const DOCUMENTS: &[Encoding] = &[Encoding::Json, Encoding::Yaml];
/// What the documents of OpenAPI are made in; clients that ask for version 3 in protobuf take JSON too.
pub(crate) const OPENAPI_V2: &[Encoding] = &[Encoding::Json, Encoding::OpenApiV2];
pub(crate) const OPENAPI_V3: &[Encoding] = &[Encoding::Json];
/// A stream of YAML documents is nothing that clients know.
const STREAMS: &[Encoding] = &[Encoding::Json, Encoding::Protobuf];

/// What a verb of the kind answers in.
pub(crate) fn resources(kind: &Kind) -> &'static [Encoding] {
    match protobuf::has_message(kind) {
        true => RESOURCES,
        false => DOCUMENTS,
    }
}

/// What a watch of the kind is made in.
pub(crate) fn streams(kind: &Kind) -> &'static [Encoding] {
    match protobuf::has_message(kind) {
        true => STREAMS,
        false => &[Encoding::Json],
    }
}

impl Encoding {
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Yaml => "application/yaml",
            Self::Protobuf => "application/vnd.kubernetes.protobuf",
            Self::OpenApiV2 => protobuf::openapi::MEDIA_TYPE,
        }
    }
}

/// What the object is turned into before it is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Form {
    #[default]
    Itself,
    /// `as=Table;g=meta.k8s.io;v=v1`, or `v1beta1`.
    Table(MetaVersion),
    /// `as=PartialObjectMetadata` or `PartialObjectMetadataList`.
    PartialMetadata(MetaVersion),
}

/// What an answer can be turned into besides itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forms {
    /// Nothing.
    None,
    /// A Table or metadata alone.
    All,
    /// Metadata alone: of a list that is streamed no Table is made (KEP-3157).
    NoTable,
}

impl Forms {
    fn has(self, form: Form) -> bool {
        match form {
            Form::Itself => true,
            Form::Table(_) => self == Self::All,
            Form::PartialMetadata(_) => self != Self::None,
        }
    }
}

/// The outcome of a negotiation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Media {
    pub encoding: Encoding,
    pub form: Form,
}

/// One alternative of an `Accept` header.
#[derive(Debug)]
struct Clause<'a> {
    media: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    quality: f32,
}

impl Clause<'_> {
    fn parameter(&self, name: &str) -> &str {
        self.parameters
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map_or("", |(_, value)| value)
    }
}

fn clauses(accept: &str) -> Vec<Clause<'_>> {
    let mut clauses: Vec<_> = accept.split(',').filter_map(clause).collect();
    // Stable: equal qualities keep the client's order.
    clauses.sort_by(|a, b| b.quality.total_cmp(&a.quality));
    clauses
}

fn clause(text: &str) -> Option<Clause<'_>> {
    let mut parts = text.split(';').map(str::trim);
    let media = parts.next().filter(|media| !media.is_empty())?;
    let parameters: Vec<_> = parts
        .filter_map(|part| part.split_once('='))
        .map(|(key, value)| (key.trim(), value.trim().trim_matches('"')))
        .collect();
    let quality = parameters
        .iter()
        .find(|(key, _)| *key == "q")
        .map_or(Some(1.0), |(_, q)| q.parse().ok())?;
    (quality > 0.0).then_some(Clause {
        media,
        parameters,
        quality,
    })
}

/// What to answer in, of these forms, and encodings: those are looked up when JSON, which each of their lists has, is not what is asked for.
/// An empty header accepts anything; 406 when nothing fits. A Table is never made in protobuf, as upstream has it
/// (`endpoints/handlers/rest.go`).
pub(crate) fn resource(
    accept: &str,
    encodings: impl Fn() -> &'static [Encoding],
    forms: Forms,
) -> Result<Media, Status> {
    if accept.trim().is_empty() {
        return Ok(Media::default());
    }
    for clause in clauses(accept) {
        let made = |found: &Encoding| *found == Encoding::Json || encodings().contains(found);
        let Some(encoding) = encoding(clause.media).filter(made) else {
            continue;
        };
        let Some(form) = form(&clause).filter(|form| forms.has(*form)) else {
            continue;
        };
        if !matches!(form, Form::Table(_)) || encoding != Encoding::Protobuf {
            return Ok(Media { encoding, form });
        }
    }
    Err(not_acceptable(encodings()))
}

/// The form that a clause asks for; `None` for one that there is not.
fn form(clause: &Clause<'_>) -> Option<Form> {
    let version = || {
        let version = MetaVersion::parse(clause.parameter("v"))?;
        (clause.parameter("g") == "meta.k8s.io").then_some(version)
    };
    match clause.parameter("as") {
        "" => Some(Form::Itself),
        "Table" => version().map(Form::Table),
        "PartialObjectMetadata" | "PartialObjectMetadataList" => {
            version().map(Form::PartialMetadata)
        }
        _ => None,
    }
}

fn encoding(media: &str) -> Option<Encoding> {
    match media {
        "application/json" | "*/*" | "application/*" => Some(Encoding::Json),
        "application/yaml" => Some(Encoding::Yaml),
        "application/vnd.kubernetes.protobuf" => Some(Encoding::Protobuf),
        // Its name of old is no media type by RFC 6838, and what client-go still sends.
        "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
        | protobuf::openapi::MEDIA_TYPE => Some(Encoding::OpenApiV2),
        _ => None,
    }
}

/// Whether `/api` and `/apis` answer in the aggregated form (KEP-3352), and in which version of it.
pub(crate) fn aggregated_discovery(accept: &str) -> Result<Option<&'static str>, Status> {
    if accept.trim().is_empty() {
        return Ok(None);
    }
    for clause in clauses(accept) {
        if !matches!(encoding(clause.media), Some(Encoding::Json)) {
            continue;
        }
        match (
            clause.parameter("as"),
            clause.parameter("g"),
            clause.parameter("v"),
        ) {
            ("", _, _) => return Ok(None),
            ("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2") => return Ok(Some("v2")),
            _ => {}
        }
    }
    Err(not_acceptable(DOCUMENTS))
}

/// What a document is answered in, of these encodings.
pub(crate) fn document(accept: &str, encodings: &'static [Encoding]) -> Result<Encoding, Status> {
    resource(accept, || encodings, Forms::None).map(|media| media.encoding)
}

/// Whether `Accept-Encoding` takes gzip.
pub(crate) fn gzip(accept_encoding: &str) -> bool {
    clauses(accept_encoding)
        .iter()
        .any(|clause| matches!(clause.media, "gzip" | "*"))
}

/// 406: nothing that the client accepts can be made; these can.
fn not_acceptable(encodings: &[Encoding]) -> Status {
    let known: Vec<_> = encodings.iter().map(|e| e.media_type()).collect();
    Status::new(
        406,
        "NotAcceptable",
        format!(
            "only the following media types are accepted: {}",
            known.join(", ")
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const KUBECTL_GET: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";

    #[rstest]
    #[case("", Some((Encoding::Json, Form::Itself)))]
    #[case("*/*", Some((Encoding::Json, Form::Itself)))]
    #[case("application/json", Some((Encoding::Json, Form::Itself)))]
    #[case(KUBECTL_GET, Some((Encoding::Json, Form::Table(MetaVersion::V1))))]
    #[case("application/vnd.kubernetes.protobuf,application/json", Some((Encoding::Protobuf, Form::Itself)))]
    #[case("application/vnd.kubernetes.protobuf", Some((Encoding::Protobuf, Form::Itself)))]
    #[case(
        "application/vnd.kubernetes.protobuf;as=Table;g=meta.k8s.io;v=v1",
        None
    )]
    #[case("application/vnd.kubernetes.protobuf;as=Table;g=meta.k8s.io;v=v1,application/json", Some((Encoding::Json, Form::Itself)))]
    #[case("application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1", Some((Encoding::Protobuf, Form::PartialMetadata(MetaVersion::V1))))]
    #[case("application/cbor", None)]
    #[case("application/yaml", Some((Encoding::Yaml, Form::Itself)))]
    #[case("application/yaml;q=0.5, application/json;q=0.9", Some((Encoding::Json, Form::Itself)))]
    #[case("application/json;q=0, application/yaml", Some((Encoding::Yaml, Form::Itself)))]
    #[case("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", Some((Encoding::Json, Form::PartialMetadata(MetaVersion::V1))))]
    #[case("application/json;as=Table;g=meta.k8s.io;v=v1beta1", Some((Encoding::Json, Form::Table(MetaVersion::V1Beta1))))]
    #[case("application/json;as=Table;g=meta.k8s.io;v=v2", None)]
    #[case("application/json;as=Table;g=example.com;v=v1", None)]
    #[case("application/json;as=Nonsense;g=meta.k8s.io;v=v1", None)]
    #[case("text/html", None)]
    fn accept_is_weighed(#[case] accept: &str, #[case] expected: Option<(Encoding, Form)>) {
        let media = resource(accept, || RESOURCES, Forms::All);
        assert_eq!(
            media.ok().map(|media| (media.encoding, media.form)),
            expected
        );
    }

    #[test]
    fn documents_are_no_messages() {
        let accept = "application/vnd.kubernetes.protobuf,application/json";
        assert_eq!(
            resource(accept, || DOCUMENTS, Forms::None)
                .unwrap()
                .encoding,
            Encoding::Json
        );
        assert_eq!(
            resource("application/yaml", || STREAMS, Forms::None)
                .unwrap_err()
                .code,
            406
        );
    }

    #[rstest]
    #[case("", Ok(Encoding::Json))]
    #[case("*/*", Ok(Encoding::Json))]
    #[case(
        "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
        Ok(Encoding::OpenApiV2)
    )]
    #[case(
        "application/com.github.proto-openapi.spec.v2.v1.0+protobuf,application/json",
        Ok(Encoding::OpenApiV2)
    )]
    #[case(
        "application/json,application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
        Ok(Encoding::Json)
    )]
    #[case("application/com.github.proto-openapi.spec.v3.v1.0+protobuf", Err(406))]
    #[case("application/vnd.kubernetes.protobuf", Err(406))]
    fn openapi_is_json_or_gnostics_message(
        #[case] accept: &str,
        #[case] expected: Result<Encoding, u16>,
    ) {
        assert_eq!(
            document(accept, OPENAPI_V2).map_err(|status| status.code),
            expected
        );
        assert_ne!(document(accept, OPENAPI_V3).ok(), Some(Encoding::OpenApiV2));
    }

    #[test]
    fn a_verb_that_has_no_table_passes_on_to_the_next_clause() {
        for forms in [Forms::None, Forms::NoTable] {
            let media = resource(KUBECTL_GET, || RESOURCES, forms).unwrap();
            assert_eq!(media.form, Form::Itself);
        }
    }

    #[rstest]
    #[case(
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json",
        Ok(Some("v2"))
    )]
    #[case(
        "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json",
        Ok(None)
    )]
    #[case("application/json", Ok(None))]
    #[case("", Ok(None))]
    #[case("application/vnd.kubernetes.protobuf", Err(406))]
    fn discovery_is_aggregated_when_asked(
        #[case] accept: &str,
        #[case] expected: Result<Option<&str>, u16>,
    ) {
        assert_eq!(
            aggregated_discovery(accept).map_err(|status| status.code),
            expected
        );
    }

    #[rstest]
    #[case("gzip, deflate", true)]
    #[case("*", true)]
    #[case("gzip;q=0", false)]
    #[case("", false)]
    #[case("br", false)]
    fn gzip_is_asked_for(#[case] accept: &str, #[case] expected: bool) {
        assert_eq!(gzip(accept), expected);
    }
}
