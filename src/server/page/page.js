// Shows what /api/overview says, and looks again every few seconds while somebody looks. One question at a time: a slow
// server is never asked faster than it answers. All text is set as text, never as markup.

const EVERY = 3000;
const PATIENCE = 10000;
const CHART = { height: 220, left: 40, right: 4, top: 8, bottom: 24 };

const $ = (id) => document.getElementById(id);
const count = new Intl.NumberFormat("en");
let text = "";
let overview = null;
let range = "hours";
let asOf = null;
let zone;
let looking = false;
let timer;

// ---- asking ----

async function look() {
  clearTimeout(timer);
  if (looking) return;
  looking = true;
  const stop = new AbortController();
  const patience = setTimeout(() => stop.abort(), PATIENCE);
  try {
    const response = await fetch("/api/overview", { signal: stop.signal, cache: "no-cache" });
    const body = await response.text();
    if (!response.ok) throw new Error(reason(body));
    asOf = new Date();
    if (body !== text) {
      overview = JSON.parse(body);
      zone = known(overview.time_zone ?? undefined);
      show();
      text = body;
    }
    tell("live", "");
  } catch (error) {
    const why = error instanceof TypeError || error.name === "AbortError" ? "The server does not answer." : error.message;
    tell("stale", `${asOf ? `These figures are from ${clock(asOf)}.` : "There are no figures yet."} ${why} Trying again …`);
  } finally {
    clearTimeout(patience);
    looking = false;
    if (!document.hidden) timer = setTimeout(look, EVERY);
  }
}

function reason(body) {
  try {
    const { error, hint } = JSON.parse(body);
    return [`${error}.`, hint].filter(Boolean).join(" ");
  } catch {
    return "The server answers something else than figures.";
  }
}

function tell(state, stale) {
  document.body.dataset.state = overview || state === "live" ? state : "loading";
  $("stale").hidden = !stale;
  if ($("stale").textContent !== stale) $("stale").textContent = stale;
  $("fresh").textContent = state === "live" ? `Live, ${clock(asOf)}` : "Not up to date";
  for (const time of document.querySelectorAll("#decisions time")) time.textContent = ago(new Date(time.dateTime));
}

// ---- words ----

/** The policy's time zone; the browser's own when it does not know that name. */
function known(timeZone) {
  try {
    return new Intl.DateTimeFormat("en", { timeZone }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}

const clock = (date) => date.toLocaleTimeString("en-GB", { timeZone: zone });
const day = (date) => date.toLocaleDateString("en", { timeZone: zone, weekday: "long", month: "long", day: "numeric" });

function ago(date) {
  const seconds = Math.max(0, (Date.now() - date) / 1000);
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return date.toLocaleDateString("en", { timeZone: zone, month: "short", day: "numeric" });
}

function duration(ms) {
  if (ms < 1000) return `${ms} ms`;
  return ms < 60000 ? `${(ms / 1000).toFixed(1)} s` : `${(ms / 60000).toFixed(1)} min`;
}

function share(part, whole) {
  if (!part) return "0%";
  const percent = (100 * part) / whole;
  return percent < 1 ? "<1%" : percent > 99 && part < whole ? ">99%" : `${Math.round(percent)}%`;
}

const plural = (number, one, many) => `${count.format(number)} ${number === 1 ? one : many}`;
const KINDS = { logic: "plain logic", cached: "cache", degraded: "degraded", nobody: "no answer" };
const answerer = (by) => (by.kind === "tier" ? `${by.tier} tier` : KINDS[by.kind]);
const STATES = { ready: ["ready", "well"], probing: ["on trial", "notice"], left_alone: ["left alone", "trouble"], no_key: ["no key", "notice"] };

// ---- making ----

function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children.filter((child) => child !== null));
  return element;
}

function draw(name, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Names of the policy stand in backticks in a sentence. */
const prose = (sentence) => sentence.split("`").map((part, place) => (place % 2 ? make("code", {}, part) : part));
const row = (head, ...cells) => make("tr", {}, make("th", { scope: "row" }, ...[head].flat()), ...cells);
const cell = (...content) => make("td", {}, ...content);
const number = (content) => make("td", { class: "number" }, content);
const NOTHING = "–";
const badge = (content, level) => make("span", { class: `badge level-${level}` }, content);
const pairs = (list) => list.filter(Boolean).map(([term, value]) => make("div", {}, make("dt", {}, term), make("dd", {}, value)));

// ---- showing ----

function show() {
  $("welcome").hidden = !overview.is_new;
  for (const section of document.querySelectorAll(".used")) section.hidden = overview.is_new;
  showHealth();
  $("periods").replaceChildren(
    period("Today", overview.today), period("This month", overview.month));
  $("budgets").hidden = overview.budgets.length === 0;
  $("budgets").replaceChildren(make("h3", {}, "Budgets"), make("ul", {}, ...overview.budgets.map(budget)));
  showAnswers();
  showDecisions();
  $("about").textContent = `taskgate ${overview.version}. Days begin at midnight in ${overview.time_zone ?? "the system's time zone"}.`;
}

function showHealth() {
  const well = overview.is_new ? "Nothing is known to be wrong; no model has been called yet" : "Everything is well";
  const words = { well, notice: "Working. Worth knowing:", trouble: "Something needs attention:" };
  $("verdict").className = `level-${overview.verdict}`;
  if ($("verdict").textContent !== words[overview.verdict]) $("verdict").textContent = words[overview.verdict];
  $("remarks").replaceChildren(...overview.remarks.map((remark) => make("li", { "data-code": remark.code }, ...prose(remark.text))));
  showRefused();
  $("models").tBodies[0].replaceChildren(...overview.models.map((model) => {
    const [state, level] = STATES[model.state];
    const until = model.until ? make("small", {}, `until ${clock(new Date(model.until))}`) : "";
    const place = model.is_local ? "text stays on this machine" : `text goes to ${model.backend}`;
    const name = [model.name, make("small", {}, `${model.tier} tier, ${place}`)];
    return row(name, cell(badge(state, level), until), number(count.format(model.calls_today)),
      number(count.format(model.rejected_today)), number(model.spent_today.text));
  }));
  const others = plural(overview.processes, "process", "processes");
  $("policy").replaceChildren("Policy ", make("code", {}, overview.policy_hash), `, ${others} on this database.`);
}

/** What is wrong with the policy that the server read last and did not take. */
function showRefused() {
  const refused = overview.policy_refused;
  $("refused").hidden = !refused;
  if (!refused) return;
  const since = new Date(refused.since);
  const rest = refused.more ? [make("li", {}, `… and ${plural(refused.more, "problem", "problems")} more.`)] : [];
  $("refused").querySelector("ul").replaceChildren(...refused.problems.map(({ line, message, help }) => make("li", {},
    line === null ? "" : make("strong", {}, `Line ${line}: `), ...prose(message), help ? make("small", {}, ...prose(help)) : "")), ...rest);
  $("refused").querySelector("p").replaceChildren(`Refused since ${clock(since)} on ${day(since)}: `,
    make("code", {}, refused.hash), ". In use: ", make("code", {}, overview.policy_hash), ". ",
    make("code", {}, "taskgate check"), " shows each problem at its place.");
}

function period(name, figures) {
  const { spent, uncosted, wasted, cache_saved: kept } = figures;
  const began = name === "Today" ? day(new Date(figures.since)) : `since ${day(new Date(figures.since)).replace(/^\w+, /, "")}`;
  return make("article", { class: "card", "data-period": name },
    make("h3", {}, `${name}, ${began}`),
    make("p", { class: "sum" }, spent ? spent.text : "not known"),
    make("p", { class: "quiet" }, `spent on ${plural(figures.requests, "request", "requests")}${uncosted
      ? `, without ${plural(uncosted, "call", "calls")} whose cost is not known` : ""}`),
    make("dl", {}, ...pairs([
      ...compared(figures),
      ["Spent without getting an answer", wasted.text],
      kept.nanousd > 0 && ["Saved by the cache", kept.text],
    ])));
}

/** What the same answers had cost at the highest tier, as far as that is known. */
function compared({ compared: how, highest_tier: highest, saved }) {
  const alone = "At the highest tier alone";
  if (how === "nothing") return [[alone, "no answer to compare"]];
  if (how === "unknown") return [[alone, "not known"], ["Saved by routing", "not known"]];
  if (how === "known" && !highest.nanousd && !saved.nanousd) return [[alone, "free too"]];
  const more = saved.nanousd < 0;
  const bound = { known: "", about: "about ", partly: more ? "at most " : "at least " }[how];
  return [[alone, how === "known" ? highest.text : `${highest.text} or more`],
    [more ? "Routing cost more by" : "Saved by routing", bound + (more ? saved.text.slice(1) : saved.text)]];
}

function budget(one) {
  const { scope, spent, reserved, limit } = one;
  const counts = scope === "all" ? "everything" : scope.replace(":", " ");
  const aside = reserved.nanousd > 0 ? `, ${reserved.text} set aside` : "";
  const share = Math.min(1, one.share);
  const bar = make("span", { class: "bar", role: "meter", "aria-label": one.name, "aria-valuemin": 0, "aria-valuemax": 1,
    "aria-valuenow": share.toFixed(3), "aria-valuetext": `${spent.text} of ${limit.text}` }, make("i", { class: `level-${one.level}` }));
  bar.firstChild.style.width = `${100 * share}%`;
  return make("li", { "data-budget": one.name },
    make("span", {}, make("strong", {}, one.name), ` ${counts}, by the ${one.per}`),
    make("span", {}, make("strong", {}, spent.text), ` of ${limit.text}${aside}`),
    bar, make("small", {}, `begins anew on ${day(new Date(one.ends))}`));
}

function showAnswers() {
  const slices = overview[range];
  const by = overview.answered_by;
  const totals = by.map((_, place) => slices.reduce((sum, slice) => sum + slice.counts[place], 0));
  const whole = totals.reduce((sum, total) => sum + total, 0);
  const classes = colors(by);
  $("legend").replaceChildren(...by.map((one, place) => make("li", { class: totals[place] ? "" : "zero" },
    make("span", {}, make("i", { class: classes[place] }), answerer(one)),
    make("strong", {}, share(totals[place], whole)),
    make("span", {}, count.format(totals[place])))));
  const time = range === "hours" ? "in the last 24 hours" : "in the last 30 days";
  const parts = by.map((one, place) => totals[place] && `${answerer(one)} ${share(totals[place], whole)}`).filter(Boolean);
  $("unit").textContent = range === "hours" ? "Requests per hour" : "Requests per day";
  const told = `${plural(whole, "request", "requests")} ${time}${parts.length ? `: ${parts.join(", ")}` : ""}.`;
  $("chart").replaceChildren(chart(slices, by, classes, told));
  const table = $("counts");
  table.caption.textContent = told;
  table.tHead.replaceChildren(make("tr", {}, make("th", { scope: "col" }, range === "hours" ? "Hour" : "Day"),
    ...by.map((one) => make("th", { scope: "col", class: "number" }, answerer(one)))));
  table.tBodies[0].replaceChildren(...[...slices].reverse().map((slice) =>
    row(slice.label, ...slice.counts.map((some) => number(count.format(some))))));
}

function colors(by) {
  let tier = 0;
  return by.map((one) => `by-${one.kind === "tier" ? `tier-${tier++ % 4}` : one.kind}`);
}

/** Stacked columns, drawn at the width that there is, so that text keeps its size. */
function chart(slices, by, classes, told) {
  const width = Math.max(280, $("chart").clientWidth);
  const inner = { width: width - CHART.left - CHART.right, height: CHART.height - CHART.top - CHART.bottom };
  const sum = (slice) => slice.counts.reduce((all, some) => all + some, 0);
  const step = niceStep(Math.max(1, ...slices.map(sum)) / 4);
  const top = step * Math.max(1, Math.ceil(Math.max(...slices.map(sum)) / step));
  const y = (value) => CHART.top + inner.height * (1 - value / top);
  const each = inner.width / slices.length;
  const svg = draw("svg", { role: "img", "aria-label": told, viewBox: `0 0 ${width} ${CHART.height}` });
  for (let value = 0; value <= top; value += step) {
    svg.append(draw("line", { x1: CHART.left, x2: width - CHART.right, y1: y(value), y2: y(value) }),
      draw("text", { x: CHART.left - 8, y: y(value) + 4, "text-anchor": "end" }, count.format(value)));
  }
  const every = Math.ceil(slices.length / Math.max(3, Math.floor(inner.width / 80)));
  slices.forEach((slice, place) => {
    const x = CHART.left + place * each;
    const title = [slice.label, ...by.map((one, at) => slice.counts[at] && `${answerer(one)} ${count.format(slice.counts[at])}`).filter(Boolean)];
    const column = draw("g", { class: "column" }, draw("title", {}, title.join("\n")),
      draw("rect", { class: "ground", x, y: CHART.top, width: each, height: inner.height }));
    let below = 0;
    slice.counts.forEach((some, at) => {
      if (!some) return;
      const height = (inner.height * some) / top;
      below += some;
      column.append(draw("rect", { class: classes[at], x: x + each * 0.14, y: y(below), width: each * 0.72, height: Math.max(1, height - 1) }));
    });
    svg.append(column);
    if ((slices.length - 1 - place) % every === 0) {
      const last = place === slices.length - 1;
      svg.append(draw("text", { x: last ? x + each : x + each / 2, y: CHART.height - 6, "text-anchor": last ? "end" : "middle" }, slice.label));
    }
  });
  return svg;
}

/** 1, 2 or 5 times a power of ten; requests are whole. */
function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= least);
}

/** A decision never changes once it is written: known ones stay as they are, open or closed. */
function showDecisions() {
  const list = $("decisions");
  const known = new Map([...list.children].map((item) => [item.dataset.id, item]));
  const items = overview.decisions.map((one) => known.get(one.id) ?? decision(one, known.size > 0));
  const kept = new Set(items);
  for (const item of known.values()) if (!kept.has(item)) item.remove();
  items.forEach((item, place) => {
    if (list.children[place] !== item) list.insertBefore(item, list.children[place] ?? null);
  });
  $("no-decisions").hidden = overview.decisions.length > 0;
}

function ending(one) {
  if (one.status === "ok") return [one.attempts.at(-1)?.tier ?? one.tier, "well"];
  if (one.status === "cached") return ["cache", "well"];
  const level = one.status === "degraded" || one.status === "partial" ? "notice" : "trouble";
  return [one.status, level];
}

/** Who was asked, in order, up to who answered. */
function path(one) {
  const asked = one.attempts.filter((attempt) => attempt.result !== "skipped").map((attempt) => attempt.model);
  const all = [...asked, one.status === "degraded" ? "plain logic" : one.model];
  return all.filter((name, place) => name && name !== all[place - 1]);
}

function decision(one, isNew) {
  const item = $("decision").content.firstElementChild.cloneNode(true);
  const find = (selector) => item.querySelector(selector);
  item.dataset.id = one.id;
  if (isNew) item.classList.add("new");
  const [end, level] = ending(one);
  find(".what").textContent = one.tool;
  find(".badge").textContent = end;
  find(".badge").classList.add(`level-${level}`);
  find(".by").textContent = path(one).join(" → ");
  find(".cost").textContent = one.cost.text;
  find(".took").textContent = duration(one.latency_ms);
  const time = find("time");
  time.dateTime = one.at;
  time.title = `${day(new Date(one.at))}, ${clock(new Date(one.at))}`;
  time.textContent = ago(new Date(one.at));
  find(".reasons").append(...one.reasons.map((reason) => make("li", {}, make("code", { class: "code" }, reason.code), " ", ...prose(reason.text))));
  find(".tried tbody").append(...one.attempts.map(attempt));
  find(".tried").hidden = one.attempts.length === 0;
  const signals = one.complexity.contributions.filter((part) => part.contribution >= 0.005)
    .map((part) => `${part.signal.replace("_", " ")} ${part.contribution.toFixed(2)}`);
  find(".facts").append(...[
    one.failure && ["Outcome", prose(one.failure)],
    ["Route", `${one.route}, tier ${one.tier}`],
    ["Complexity", `${one.complexity.score.toFixed(2)}${signals.length ? `: ${signals.join(", ")}` : ""}`],
    ["Came in by", `${one.door.replace("_", " ")}, cache ${one.cache}, policy ${one.policy_hash}`],
    ["Cost", [one.cost.text, one.wasted.nanousd ? `${one.wasted.text} of it without an answer` : "",
      one.highest_tier ? `${one.highest_tier.text} at the highest tier` : ""].filter(Boolean).join(", ")],
    ["Took", duration(one.latency_ms)],
  ].filter(Boolean).flatMap(([term, value]) => [make("dt", {}, term), make("dd", {}, ...[value].flat())]));
  find(".command code").textContent = `taskgate explain --request ${one.id}`;
  find(".command button").addEventListener("click", copy);
  return item;
}

function attempt(one) {
  const good = one.result === "accepted" || one.result === "unchecked";
  const said = one.rejection ? `${one.rejection.code}: ${one.rejection.why}` : good ? null : one.failure;
  const kept = one.kept_back ? ` (${one.kept_back})` : "";
  const sent = one.result !== "skipped";
  const figures = [`${one.reported ? "" : "~"}${count.format(one.tokens)}`, one.cost.text, duration(one.latency_ms)];
  return row(one.model, cell(one.kind), cell(badge(one.result.replace("_", " ") + kept, good ? "well" : "notice"), said ? make("small", {}, ...prose(said)) : ""),
    ...figures.map((figure) => number(sent ? figure : NOTHING)));
}

async function copy(event) {
  const button = event.currentTarget;
  const command = button.previousElementSibling;
  try {
    await navigator.clipboard.writeText(command.textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  } catch {
    // Not every browser lets a page copy; then a person does it.
    getSelection().selectAllChildren(command);
  }
}

// ---- listening ----

$("ranges").addEventListener("click", (event) => {
  if (event.target.tagName !== "BUTTON" || !overview) return;
  range = event.target.value;
  for (const button of $("ranges").children) button.setAttribute("aria-pressed", String(button === event.target));
  showAnswers();
});
document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : look()));
new ResizeObserver(() => overview && showAnswers()).observe($("chart"));
look();
