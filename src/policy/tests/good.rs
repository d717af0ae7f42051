//! t

#[test]
fn look() {
    let c = crate::policy::compile(include_str!("ten_mistakes.yaml"), "ten.yaml", &|_| None);
    eprintln!("{}", c.problems.render(false));
    let c = crate::policy::compile(include_str!("reference.yaml"), "ref.yaml", &|_| None);
    eprintln!("{}", c.problems);
}
