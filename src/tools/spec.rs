//! What a tool says of itself: name, description, schemas, annotations.
//!
//! Schemas come from the types that are really read and written, as schemars makes them; the MCP door flattens them
//! for hosts.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};

use super::toolbox::Tool;

pub struct ToolSpec {
    pub name: &'static str,
    pub title: &'static str,
    pub description: &'static str,
    pub input_schema: Schema,
    pub output_schema: Schema,
    pub annotations: Annotations,
}

/// What a host may assume of a tool; the names are those of MCP's hints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Annotations {
    pub read_only: bool,
    pub destructive: bool,
    pub idempotent: bool,
    /// It may send task text to a hosted model.
    pub open_world: bool,
}

impl Annotations {
    pub(super) const READS: Self = Self { read_only: true, destructive: false, idempotent: true, open_world: false };
    pub(super) const ADDS: Self = Self { read_only: false, destructive: false, idempotent: false, open_world: false };
    /// What it overwrites or removes is gone from the record, and a second call changes nothing more.
    pub(super) const REPLACES: Self = Self { read_only: false, destructive: true, idempotent: true, open_world: false };
    /// Reads tasks, and may show them to a hosted model. A model may answer differently the next time.
    pub(super) const ASKS: Self = Self { read_only: true, destructive: false, idempotent: false, open_world: true };
}

/// The words around a tool's types.
pub(super) struct About {
    pub title: &'static str,
    pub description: &'static str,
    pub annotations: Annotations,
}

pub(super) fn spec<P: JsonSchema, R: JsonSchema>(tool: Tool, about: About) -> ToolSpec {
    ToolSpec {
        name: tool.as_str(),
        title: about.title,
        description: about.description,
        input_schema: input_schema::<P>(),
        output_schema: output_schema::<R>(),
        annotations: about.annotations,
    }
}

pub(super) fn input_schema<P: JsonSchema>() -> Schema {
    made::<P>(SchemaSettings::draft2020_12().for_deserialize())
}

/// By the serialized form: what is always written is required.
fn output_schema<R: JsonSchema>() -> Schema {
    made::<R>(SchemaSettings::draft2020_12().for_serialize())
}

fn made<T: JsonSchema>(settings: SchemaSettings) -> Schema {
    let settings = settings.with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    // The names and notes of our own types: the tool's description says what a reader needs.
    schema.remove("title");
    schema.remove("description");
    schema
}
