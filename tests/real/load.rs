//! A small company's real to-do list, as a person would type it in.

use serde_json::{Value, json};

use crate::client::Client;

/// Title, priority, due, hours, who, description.
const TASKS: [(&str, &str, &str, f64, &str, &str); 14] = [
    (
        "Renew the TLS certificate of the web shop",
        "urgent",
        "in 2 days",
        2.0,
        "Ana",
        "The certificate of shop.example ends this week. The last renewal failed because port 80 was closed on the new load balancer.",
    ),
    (
        "Answer the tax office about the second quarter",
        "urgent",
        "in 4 days",
        3.0,
        "Bo",
        "They ask for the invoices of April to June above 10,000 EUR and for the reverse-charge statements. A second reminder has come.",
    ),
    (
        "Fix double charges when a card payment is retried",
        "urgent",
        "in 3 days",
        8.0,
        "Chen",
        "Three customers were charged twice after a time-out at the payment provider. The retry sends no idempotency key.",
    ),
    (
        "Move the order database to the new machine",
        "high",
        "in 6 days",
        12.0,
        "Chen",
        "Replication is set up; the switch needs a quiet hour at night and a way back. Blocked until the backup has been tried.",
    ),
    (
        "Try to restore last night's backup",
        "high",
        "in 3 days",
        4.0,
        "Dina",
        "Nobody has restored one since March. Write down how long it took.",
    ),
    (
        "Write the offer for the museum's ticket shop",
        "high",
        "in 5 days",
        6.0,
        "Ana",
        "Two editions, German and English. They want a price for hosting over three years.",
    ),
    (
        "Interview the second candidate for support",
        "normal",
        "in 5 days",
        1.5,
        "Bo",
        "Questions are in the shared folder; Dina joins.",
    ),
    (
        "Let newsletter readers unsubscribe with one click",
        "high",
        "in 10 days",
        5.0,
        "Chen",
        "Mail providers reject bulk mail without the List-Unsubscribe header since last month.",
    ),
    ("Order chairs for the new office", "low", "in 20 days", 1.0, "Bo", "Eight, and two tables. The cheap ones broke."),
    (
        "Translate the returns page into French",
        "normal",
        "in 12 days",
        3.0,
        "Ana",
        "The legal text comes from the lawyer, not from us.",
    ),
    (
        "Measure why the product search is slow",
        "normal",
        "in 8 days",
        6.0,
        "Dina",
        "The 95th percentile went from 300 ms to 2 s with the new filters. Start with the query plan.",
    ),
    (
        "Close the accounts of people who left",
        "high",
        "in 1 day",
        2.0,
        "Dina",
        "Two accounts still have access to the payment provider.",
    ),
    (
        "Prepare the figures for the quarterly meeting",
        "normal",
        "in 9 days",
        4.0,
        "Bo",
        "Sales, returns, support hours.",
    ),
    (
        "Replace the smoke detectors",
        "normal",
        "in 15 days",
        2.0,
        "",
        "The landlord pays if we send the bill before the end of the month.",
    ),
];

/// Smaller things, for a list that does not fit into a small model's context.
const SMALL: [&str; 6] = [
    "Call the supplier about late parcels",
    "Check the stock of printer paper and labels",
    "Thank the customer who reported the typo",
    "Update the holiday calendar of the team",
    "Photograph the new bags for the shop page",
    "Sort the support inbox of last week",
];

/// Creates the list and returns the ids, in the order above. The fourth waits for the fifth.
pub async fn create_tasks(client: &Client) -> Vec<String> {
    let mut ids = Vec::new();
    for (title, priority, due, hours, who, description) in TASKS {
        let mut task = json!({
            "title": title, "priority": priority, "due_date": due, "estimate_hours": hours, "description": description,
        });
        if !who.is_empty() {
            task["assignee"] = who.into();
        }
        ids.push(create(client, task).await);
    }
    client.call("update_task", json!({ "task_id": ids[3], "depends_on": [ids[4]] })).await;
    ids
}

pub async fn create_small_tasks(client: &Client, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..count {
        let title = format!("{} ({})", SMALL[number % SMALL.len()], number / SMALL.len() + 1);
        ids.push(create(client, json!({ "title": title, "estimate_hours": 1.0 })).await);
    }
    ids
}

async fn create(client: &Client, task: Value) -> String {
    let answer = client.call("create_task", task).await;
    answer.result["task"]["id"].as_str().unwrap().to_owned()
}
