/* Everything that is painted from the state: stage, card, panel, progress of all. */

import { $, bytes, count, duration, hide, LOST, make, perFrame, STATES, UNSETTLED, write } from "./basics.js";
import { capital, fillList, say, sentence } from "./words.js";
import { allRuns, state } from "./state.js";
import { makeThumbs } from "./intake.js";
import { viewer } from "./viewer.js";
import { layerOf, preload, sideOf } from "./sides.js";
import { paintItem } from "./filmstrip.js";

export const paintSoon = perFrame(paintAll);
let painted = null;

export function paint(photo) {
  if (!state.photos.includes(photo)) return;
  paintItem(photo);
  if (!photo.thumbed) makeThumbs();
  paintSoon();
}

export function paintAll() {
  const photo = state.shown;
  hide({ empty: photo, work: !photo, panel: !photo, filmstrip: !photo, actions: !photo });
  document.body.classList.toggle("busy", Boolean(photo));
  paintOverall();
  if (!photo) return;
  paintStage(photo);
  paintCard(photo, photo.latest);
  paintPanel(photo, photo.best ?? photo.latest);
  paintLayers(photo.right);
  paintStrength(photo.right);
}

function paintStage(photo) {
  const { left, right, results } = photo;
  const layer = layerOf(right);
  const keep = painted === photo;
  painted = photo;
  if (!keep) preload();
  viewer.show(0, sideOf(photo, left, null), keep);
  viewer.show(1, sideOf(photo, right, layer), keep);
  viewer.compare(left !== right || Boolean(layer));
  const name = (run) => (results.length > 1 || run.options.realism ? run.label : "After");
  write("corner-left", left ? name(left) : "Before");
  write("corner-right", layer ? capital(state.about.layers[layer].label) : right ? name(right) : left ? "Before" : "Original");
  fillSide("left", photo, results);
  fillSide("right", photo, results);
  document.querySelector(".tools").classList.toggle("simple", !results.length);
}

function fillSide(side, photo, results) {
  const node = $(side);
  const runs = [null, ...results];
  const labels = runs.map((run) => run?.label ?? "Original");
  if ([...node.options].map((option) => option.text).join("\n") !== labels.join("\n")) {
    node.replaceChildren(...labels.map((label) => make("option", { textContent: label })));
  }
  node.selectedIndex = runs.indexOf(photo[side]);
  node.disabled = runs.length < 2;
  node.onchange = () => {
    photo[side] = runs[node.selectedIndex];
    paint(photo);
  };
}

function howOf({ model, method }, verb) {
  if (!model && !method) return verb;
  const name = model in state.models ? model : model?.split("@")[0]; // upscale4@0.5 is upscale4 with realism
  return `${verb} with the ${method ? "method" : "model"} ${method ?? name}`;
}

/** What is to be said wherever detail is invented. */
export const inventedWords = ({ realism }) => (realism ? [`detail invented, ${Math.round(100 * realism)}\u00a0%`] : []);

export function workingWords({ state: now, job, photo }) {
  if (now === "waiting" || job?.state === "queued") {
    const ahead = allRuns().filter((run) => UNSETTLED.has(run.state)).findIndex((run) => run.photo === photo);
    return ahead > 0 ? `Waiting: ${ahead} before it` : "Waiting";
  }
  if (now === "sending" || !job.plan) return "Looking at the photograph";
  const rest = job.eta ?? (job.progress > 0 ? null : job.plan.expected_seconds);
  return howOf(job.plan, "Restoring") + (rest === null ? "" : `, about ${duration(rest)}`);
}

function paintCard(photo, run) {
  const { state: now, job, why } = run;
  const [unsettled, lost, unchanged] = [UNSETTLED.has(now), LOST.has(now), now === "unchanged"];
  hide({
    card: now === "done" || (unchanged && (photo.right || run.dismissed)), "card-bar": !unsettled, "card-cancel": !unsettled,
    "card-retry": !run.retriable, "card-remove": !lost || run.retriable || photo.runs.length > 1,
    "card-dismiss": !unchanged && (!lost || photo.runs.length < 2), "card-anyway": !unchanged,
  });
  $("card").dataset.state = now;
  const found = job?.diagnosis?.words;
  if (unsettled) {
    write("card-title", workingWords(run));
    write("card-text", why || (found ? `Found: ${found}` : photo.name));
    if (now === "working" && job.progress > 0) $("card-bar").value = job.progress;
    else $("card-bar").removeAttribute("value");
    return;
  }
  const titles = { unchanged: found ? `Nothing to fix: ${found}` : "Nothing to fix", failed: "Not restored", canceled: "Canceled" };
  write("card-title", titles[now] ?? "");
  write("card-text", { unchanged: "", failed: why }[now] ?? photo.name);
}

function paintPanel(photo, run) {
  const { job, result } = run;
  const known = photo.known?.job.photograph;
  const found = photo.runs.map((one) => one.job?.diagnosis).findLast(Boolean);
  const size = ({ width, height }) => `${width} × ${height}`;
  write("name", photo.label);
  $("name").title = photo.folder + photo.name;
  const facts = known ? [size(known), known.format.toUpperCase(), `${known.depth} bit`] : [];
  write("meta", [...facts, bytes(photo.file.size)].join(" · "));
  const plan = result ?? (run.state === "working" ? job?.plan : null);
  write("found-words", sentence(found?.words));
  write("done-title", result ? "What was done" : "What is done");
  write("done-words", result ? doneWords(run) : plan ? sentence(howOf(plan, "Restoring")) : "");
  const reasons = (plan?.reasons ?? []).filter((reason) => reason !== result?.uncertainty?.sentence);
  hide({ found: !found && !plan, "found-title": !found, "found-words": !found, "done-title": !plan, "done-words": !plan });
  hide({ details: !reasons.length });
  fillList("reasons", reasons);
  fillList("warnings", result?.warnings ?? []);
  const rows = result ? { Result: `${size(result)} · ${result.format.toUpperCase()} · ${bytes(result.bytes)}`, Time: duration(result.seconds) } : {};
  const row = ([name, value]) => make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: value }));
  $("facts").replaceChildren(...Object.entries(rows).map(row));
  $("download").disabled = $("copy").disabled = !photo.best;
  $("download-all").disabled = !state.photos.some((one) => one.best);
}

function doneWords({ options, job: { plan }, result: { status, model, sigma, reasons } }) {
  if (status === "unchanged") {
    const said = plan?.reasons ?? reasons; // those of the result go on with its map of errors
    const reason = (said.findLast((one) => one.startsWith("nothing")) ?? said.at(-1) ?? "nothing").replace(/^nothing to fix: /, "nothing: ");
    return sentence(reason.startsWith("nothing") ? reason : `Nothing: ${reason}`);
  }
  const parts = [howOf({ model, method: options.method }, "Restored")];
  if (sigma) parts.push(`noise level ${Math.round(10 * sigma) / 10}`);
  if (options.scale) parts.push(`${options.scale} times as large`);
  return sentence([...parts, ...inventedWords(options)].join(", "));
}

function paintLayers(run) {
  const shown = layerOf(run);
  for (const radio of $("layers").querySelectorAll("input")) {
    radio.disabled = !run || (radio.value !== "result" && !run.result.layers.includes(radio.value));
    radio.checked = radio.value === (shown ?? "result");
  }
  const missing = Object.entries(state.about.layers).filter(([layer]) => run && !run.result.layers.includes(layer));
  const absent = missing.map(([layer, { label }]) => `${label} (${whyNone(layer, run)})`);
  write("layers-hint", `This result cannot show ${absent.join(", or ")}.`);
  hide({ legend: !shown, "layers-hint": !missing.length });
  if (!shown) return;
  const { color, legend, ticks } = state.about.layers[shown];
  $("legend").style.setProperty("--layer", color);
  $("ticks").replaceChildren(...ticks.map((tick) => make("span", { textContent: tick })));
  write("legend-text", sentence(legend));
  write("legend-sentence", shown === "uncertainty" ? sentence(run.result.uncertainty?.sentence) : "");
}

/** Why a result has no such layer. */
function whyNone(layer, { options, result: { status, model } }) {
  if (status === "unchanged") return "the photograph is as it was";
  if (layer === "change") return "it has another size";
  return options.realism ? "its detail is invented" : `${model ?? options.method} has none`;
}

function paintStrength(run) {
  const fixed = !run?.result.blendable;
  const resized = run && run.result.width !== run.job.photograph?.width;
  $("strength").disabled = fixed;
  $("strength").value = Math.round(100 * (run?.blend ?? 1));
  write("strength-text", `${$("strength").value} %`);
  hide({ "strength-hint": !run || !fixed });
  write("strength-hint", `${resized ? "A result of another size" : "This result"} cannot be mixed with the original.`);
}

/** Seconds until all is done, or null where nothing tells. */
function secondsLeft() {
  const runs = allRuns();
  const waiting = runs.filter((run) => run.state === "waiting" || run.job?.state === "queued").length;
  const running = runs.filter((run) => run.job?.state === "running");
  const known = state.seconds.length ? state.seconds : running.map((run) => run.job.plan?.expected_seconds).filter(Boolean);
  if (!known.length) return null;
  const mean = known.reduce((sum, one) => sum + one, 0) / known.length;
  return (waiting * (mean + 0.5)) / state.about.workers + Math.max(0, ...running.map((run) => run.job.eta ?? mean / 2));
}

function paintOverall() {
  const { photos } = state;
  const of = (...names) => photos.filter((photo) => names.includes(photo.state)).length;
  const settled = photos.length - of(...UNSETTLED);
  const working = settled < photos.length;
  const left = working ? secondsLeft() : null;
  const counts = { restored: of("done"), unchanged: of("unchanged"), failed: of("failed"), canceled: of("canceled") };
  const summary = Object.entries(counts).filter(([, number]) => number).map(([word, number]) => `${number} ${word}`).join(" · ");
  write("overall-text", working ? `${settled} of ${photos.length}${left === null ? "" : ` · about ${duration(left)} left`}` : summary);
  hide({ overall: photos.length < 2, "overall-bar": !working, "cancel-all": !working });
  hide({ "retry-all": working || !allRuns().some((run) => run.retriable) });
  $("retry-all").textContent = allRuns().some((run) => run.retriable && run.state === "failed") ? "Retry failed" : "Retry";
  $("overall-bar").value = settled / (photos.length || 1);
  document.title = working ? `${settled} of ${photos.length} – Resolvent` : "Resolvent";
}

export function paintSkipped() {
  const { skipped } = state;
  hide({ skipped: !skipped.length });
  write("skipped-text", `${count(skipped.length, "file")} skipped`);
  $("skipped-list").replaceChildren(...skipped.slice(0, 200).map((line) => make("li", { textContent: line })));
}

/** Tell what became of a run to those who do not see it. */
export function tell(run) {
  const settled = state.photos.filter((photo) => !UNSETTLED.has(photo.state)).length;
  if (run.photo === state.shown || run.why) say(`${run.photo.name}: ${STATES[run.state]}. ${run.why}`);
  else if (settled === state.photos.length || settled % 10 === 0) say(`${settled} of ${count(state.photos.length, "photograph")} ready.`);
}
