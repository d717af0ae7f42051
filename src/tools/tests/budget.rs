//! What the tools take of a host's context, and what every schema must have.

use serde_json::Value;

use super::*;

#[tokio::test]
async fn names_descriptions_and_input_schemas_stay_small() {
    let world = World::new([]).await;
    let size = |spec: &crate::tools::ToolSpec| {
        spec.name.len() + spec.description.len() + spec.input_schema.as_value().to_string().len()
    };
    let sizes: Vec<(usize, &str)> = world.toolbox.specs().iter().map(|spec| (size(spec) / 4, spec.name)).collect();
    let sum: usize = sizes.iter().map(|(size, _)| size).sum();
    assert!(sum <= 3_000, "{sum} tokens: {sizes:?}");
}

#[tokio::test]
async fn every_tool_describes_itself_and_every_field() {
    let world = World::new([]).await;
    for spec in world.toolbox.specs() {
        assert!(spec.description.contains("Example: {\""), "{}", spec.name);
        assert!(!spec.title.is_empty());
        let example = spec.description.split("Example: ").nth(1).unwrap();
        let example: Value = serde_json::from_str(example).unwrap();
        let schema = spec.input_schema.as_value();
        assert!(jsonschema::is_valid(schema, &example), "{}: {example}", spec.name);
        assert_eq!(schema["additionalProperties"], false, "{}", spec.name);
        for (name, field) in schema["properties"].as_object().unwrap() {
            assert!(field["description"].is_string(), "{}.{name}", spec.name);
        }
    }
}

#[tokio::test]
async fn a_tool_that_may_show_tasks_to_a_hosted_model_says_so() {
    let world = World::new([]).await;
    for spec in world.toolbox.specs() {
        let asks = spec.description.contains("model");
        assert_eq!(spec.annotations.open_world, asks, "{}", spec.name);
        assert!(!(spec.annotations.read_only && spec.annotations.destructive));
    }
}

#[tokio::test]
async fn an_unknown_tool_is_told_the_nearest() {
    let world = World::new([]).await;
    let error = world.error("create_tusk", json!({})).await;
    assert_eq!(error.kind, crate::error::Kind::UnknownTool);
    assert_eq!(error.message, "unknown tool `create_tusk`, did you mean `create_task`?");
    assert!(world.ledger().await.is_empty());
}
