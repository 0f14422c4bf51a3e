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

/// What objects of built-in kinds, metadata of all kinds, and refusals, are made in.
pub(crate) const RESOURCES: &[Encoding] = &[Encoding::Json, Encoding::Yaml, Encoding::Protobuf];
/// What is made of documents that have no message in protobuf.
pub(crate) const DOCUMENTS: &[Encoding] = &[Encoding::Json, Encoding::Yaml];
/// What the documents of OpenAPI are made in; clients that ask for version 3 in protobuf take JSON too.
pub(crate) const OPENAPI_V2: &[Encoding] = &[Encoding::Json, Encoding::OpenApiV2];
pub(crate) const OPENAPI_V3: &[Encoding] = &[Encoding::Json];
/// A stream of YAML documents is nothing that clients know.
const STREAMS: &[Encoding] = &[Encoding::Json, Encoding::Protobuf];

/// What a verb of the kind answers in.
pub(crate) fn object(kind: &Kind, forms: Forms) -> Offer {
    Offer {
        itself: match protobuf::has_message(kind) {
            true => RESOURCES,
            false => DOCUMENTS,
        },
        all: RESOURCES,
        forms,
        parameter: "",
        routed: is_routed(kind),
    }
}

/// What a watch of the kind is made in.
pub(crate) fn stream(kind: &Kind, forms: Forms) -> Offer {
    Offer {
        itself: match protobuf::has_message(kind) {
            true => STREAMS,
            false => &[Encoding::Json],
        },
        all: STREAMS,
        forms,
        parameter: ";stream=watch",
        routed: is_routed(kind),
    }
}

/// Of a definition's kinds, built in here or not, upstream's router knows no paths.
fn is_routed(kind: &Kind) -> bool {
    kind.custom.is_none() && kind.group != "metallb.io"
}

/// What a refusal is made in.
pub(crate) const REFUSAL: Offer = Offer::only(RESOURCES);
/// What a document is made in.
pub(crate) const DOCUMENT: Offer = Offer {
    routed: true,
    ..Offer::only(DOCUMENTS)
};

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
    /// With line breaks: `pretty=1`.
    pub pretty: bool,
    /// Of metadata: that it is to be a list's.
    pub list: bool,
}

/// One alternative of an `Accept` header.
#[derive(Debug)]
struct Clause<'a> {
    media: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    quality: f32,
}

impl Clause<'_> {
    /// Whether an answer in this encoding can be the stream that is asked for: of events, and not of YAML documents.
    fn streams(&self, encoding: Encoding) -> bool {
        match self.parameter("stream") {
            "" => true,
            "watch" => encoding != Encoding::Yaml,
            _ => false,
        }
    }

    /// Anything, or a media type that objects are made in.
    fn is_by_name(&self) -> bool {
        let mut known = RESOURCES.iter().map(|encoding| encoding.media_type());
        self.media == "*/*" || known.any(|known| known == self.media)
    }

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

/// What can be made of something.
#[derive(Clone, Copy)]
pub(crate) struct Offer {
    /// Of the thing itself; JSON is among them.
    pub itself: &'static [Encoding],
    /// Of anything at all that it can be turned into: what a 406 names.
    pub all: &'static [Encoding],
    pub forms: Forms,
    /// What media types have behind them in a refusal.
    pub parameter: &'static str,
    /// Upstream's router (go-restful) looks at the media types first, and knows none by half: `application/*`.
    pub routed: bool,
}

impl Offer {
    /// A document, which is turned into nothing.
    const fn only(encodings: &'static [Encoding]) -> Self {
        Self {
            itself: encodings,
            all: encodings,
            forms: Forms::None,
            parameter: "",
            routed: false,
        }
    }

    /// Upstream's `RequestScope.AllowsMediaTypeTransform` (`endpoints/handlers/rest.go`): metadata has a message whatever its object
    /// is, a Table none.
    fn has(&self, encoding: Encoding, form: Form) -> bool {
        self.forms.has(form)
            && match form {
                Form::Itself => self.itself.contains(&encoding),
                Form::PartialMetadata(_) => self.all.contains(&encoding),
                Form::Table(_) => encoding != Encoding::Protobuf && self.all.contains(&encoding),
            }
    }
}

/// What to answer in, of what is offered: that is looked up when it is not plain JSON that is asked for. An empty header accepts anything; 406
/// when nothing fits.
pub(crate) fn resource(accept: &str, offer: impl Fn() -> Offer) -> Result<Media, Status> {
    if accept.trim().is_empty() {
        return Ok(Media::default());
    }
    let clauses = clauses(accept);
    let by_name = clauses.iter().any(Clause::is_by_name);
    if !by_name && offer().routed {
        return Err(not_routed());
    }
    for clause in clauses {
        let Some(form) = form(&clause) else { continue };
        let pretty = clause.parameter("pretty") == "1";
        let list = clause.parameter("as") == "PartialObjectMetadataList";
        for encoding in encodings(clause.media) {
            let plain = (*encoding, form) == (Encoding::Json, Form::Itself);
            if clause.streams(*encoding) && (plain || offer().has(*encoding, form)) {
                return Ok(Media {
                    encoding: *encoding,
                    form,
                    pretty,
                    list,
                });
            }
        }
    }
    Err(not_acceptable(&offer()))
}

/// The form that a clause asks for; `None` for one that there is not.
fn form(clause: &Clause<'_>) -> Option<Form> {
    let version = || {
        let version = MetaVersion::parse(clause.parameter("v"))?;
        (clause.parameter("g") == "meta.k8s.io").then_some(version)
    };
    match clause.parameter("as") {
        // A group or version says that something else is wanted, and nothing what.
        "" if clause.parameter("g").is_empty() && clause.parameter("v").is_empty() => {
            Some(Form::Itself)
        }
        "Table" => version().map(Form::Table),
        "PartialObjectMetadata" | "PartialObjectMetadataList" => {
            version().map(Form::PartialMetadata)
        }
        _ => None,
    }
}

/// What a media type may stand for, in the order in which it is tried.
fn encodings(media: &str) -> &'static [Encoding] {
    match media {
        "*/*" | "application/*" => RESOURCES,
        "application/json" => &[Encoding::Json],
        "application/yaml" => &[Encoding::Yaml],
        "application/vnd.kubernetes.protobuf" => &[Encoding::Protobuf],
        // Its name of old is no media type by RFC 6838, and what client-go still sends.
        "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
        | protobuf::openapi::MEDIA_TYPE => &[Encoding::OpenApiV2],
        _ => &[],
    }
}

/// Whether `/api` and `/apis` answer in the aggregated form (KEP-3352), and in which version of it.
pub(crate) fn aggregated_discovery(accept: &str) -> Result<Option<&'static str>, Status> {
    if accept.trim().is_empty() {
        return Ok(None);
    }
    let clauses = clauses(accept);
    if !clauses.iter().any(Clause::is_by_name) {
        return Err(not_routed());
    }
    for clause in clauses {
        if !encodings(clause.media).contains(&Encoding::Json) {
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
    Err(not_acceptable(&DOCUMENT))
}

/// What a document is answered in, of these encodings.
pub(crate) fn document(accept: &str, encodings: &'static [Encoding]) -> Result<Encoding, Status> {
    resource(accept, || Offer::only(encodings)).map(|media| media.encoding)
}

/// Whether `Accept-Encoding` takes gzip: that word alone, as upstream reads it (`responsewriters/writers.go`).
pub(crate) fn gzip(accept_encoding: &str) -> bool {
    let mut words = accept_encoding.split(',');
    words.any(|word| word.trim() == "gzip")
}

/// 406 of upstream's router, which says no more.
fn not_routed() -> Status {
    let mut status = Status::new(406, "NotAcceptable", "406: Not Acceptable");
    status.details = Some(Box::default());
    status
}

/// 406: nothing that the client accepts can be made; these can.
fn not_acceptable(offer: &Offer) -> Status {
    let name = |encoding: &Encoding| format!("{}{}", encoding.media_type(), offer.parameter);
    let known: Vec<_> = offer.all.iter().map(name).collect();
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
    #[case("application/json;g=meta.k8s.io;v=v1", None)]
    #[case("application/json;stream=watch", Some((Encoding::Json, Form::Itself)))]
    #[case("application/json;stream=other,application/yaml", Some((Encoding::Yaml, Form::Itself)))]
    #[case("application/yaml;stream=watch", None)]
    #[case("*/*;as=Table;g=meta.k8s.io;v=v1", Some((Encoding::Json, Form::Table(MetaVersion::V1))))]
    fn accept_is_weighed(#[case] accept: &str, #[case] expected: Option<(Encoding, Form)>) {
        let media = resource(accept, || offer(RESOURCES, Forms::All));
        assert_eq!(
            media.ok().map(|media| (media.encoding, media.form)),
            expected
        );
    }

    fn offer(itself: &'static [Encoding], forms: Forms) -> Offer {
        Offer {
            itself,
            all: RESOURCES,
            forms,
            parameter: "",
            routed: false,
        }
    }

    #[rstest]
    #[case("text/html", true)]
    #[case("application/*", true)]
    #[case("application/cbor, text/*", true)]
    #[case("application/*,*/*;q=0.1", false)]
    #[case("application/json", false)]
    #[case(
        "application/vnd.kubernetes.protobuf;as=Table;g=meta.k8s.io;v=v1",
        false
    )]
    fn the_router_looks_first(#[case] accept: &str, #[case] refused: bool) {
        let routed = Offer {
            routed: true,
            ..offer(RESOURCES, Forms::All)
        };
        let told = resource(accept, || routed)
            .err()
            .map(|status| status.message);
        assert_eq!(
            told.as_deref() == Some("406: Not Acceptable"),
            refused,
            "{told:?}"
        );
    }

    #[test]
    fn metadata_of_custom_resources_has_a_message_though_they_have_none() {
        let custom = || offer(DOCUMENTS, Forms::All);
        let partial =
            "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
        let media = resource(partial, custom).unwrap();
        assert_eq!(media.encoding, Encoding::Protobuf);
        assert_eq!(media.form, Form::PartialMetadata(MetaVersion::V1));
        let refused = resource("application/vnd.kubernetes.protobuf", custom).unwrap_err();
        assert_eq!(
            refused.message,
            "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf"
        );
    }

    #[test]
    fn line_breaks_are_asked_for_in_the_media_type_too() {
        let pretty = |accept: &str| resource(accept, || REFUSAL).unwrap().pretty;
        assert!(pretty("application/json;pretty=1"));
        assert!(!pretty("application/json;pretty=true"));
        assert!(!pretty("application/json"));
    }

    #[test]
    fn documents_are_no_messages() {
        let accept = "application/vnd.kubernetes.protobuf,application/json";
        assert_eq!(
            resource(accept, || DOCUMENT).unwrap().encoding,
            Encoding::Json
        );
        let refused = resource("application/yaml", || Offer::only(STREAMS));
        assert_eq!(refused.unwrap_err().code, 406);
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
            let media = resource(KUBECTL_GET, || offer(RESOURCES, forms)).unwrap();
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
    #[case("br,gzip", true)]
    #[case("*", false)]
    #[case("gzip;q=0.5", false)]
    #[case("gzip;q=0", false)]
    #[case("", false)]
    #[case("br", false)]
    fn gzip_is_asked_for(#[case] accept: &str, #[case] expected: bool) {
        assert_eq!(gzip(accept), expected);
    }
}
