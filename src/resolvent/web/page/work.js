/* From a photograph to its result: jobs are sent, followed, canceled and tried again. */

import { ABANDON, ACTIVE, count, LOST, pause, POLL, UNSETTLED } from "./basics.js";
import { say } from "./words.js";
import { Problem, send } from "./server.js";
import { allRuns, Run, state } from "./state.js";
import { paint, tell, workingWords } from "./painting.js";

export function pump() {
  const runs = allRuns();
  const busy = runs.filter((run) => ACTIVE.has(run.state)).length;
  const queue = new Set([...(state.shown?.runs ?? []), ...runs].filter((run) => run.state === "waiting"));
  [...queue].slice(0, Math.max(0, state.about.workers + 1 - busy)).forEach(carryOut);
}

async function carryOut(run) {
  const { signal } = run.abort;
  run.state = "sending";
  paint(run.photo);
  try {
    await submit(run, signal);
    await follow(run, signal);
    if (run.job.state === "failed") throw new Problem(unnamed(run.job.error, run.job.name));
    run.state = run.result.status === "unchanged" ? "unchanged" : "done";
    state.seconds = [...state.seconds.slice(-9), run.result.seconds];
    if (run.done) run.photo.right = run;
  } catch (error) {
    if (signal.aborted) return;
    const why = error instanceof Problem ? error.message : String(error);
    Object.assign(run, { state: "failed", why, status: error.status ?? 0 });
  }
  tell(run);
  paint(run.photo);
  pump();
}

/** The error of a job without the name of its photograph, which stands beside it. */
const unnamed = (error, name) => (error?.value === name ? { ...error, value: "" } : error ?? {});

async function submit(run, signal) {
  const { photo, options } = run;
  const busy = (problem) => {
    run.why = problem.message;
    paint(photo);
  };
  const post = async (name, ...value) => {
    const body = new FormData();
    Object.entries(hasMap(options) ? { ...options, uncertainty: "learned" } : options).forEach((one) => body.set(...one));
    body.set("abandon", ABANDON);
    body.set(name, ...value);
    return (await send("/v1/jobs", { method: "POST", body, signal, busy })).json();
  };
  if (photo.source) run.job = await post("source", photo.source.job.id).catch((error) => {
    if (error.status !== 404) throw error;
    return null;
  });
  run.job ??= await post("file", photo.file, photo.name);
  if (signal.aborted) discard(run);
  signal.throwIfAborted();
  Object.assign(run, { state: "working", why: "" });
  paint(photo);
}

async function follow(run, signal) {
  let [tag, misses] = ["", 0];
  while (run.job.state === "queued" || run.job.state === "running") {
    await pause(POLL, signal);
    const answer = await send(run.path, { headers: tag ? { "If-None-Match": tag } : {}, signal }).catch((error) => {
      if (signal.aborted || error.status || ++misses > 5) throw error;
      return null;
    });
    if (!answer) continue;
    misses = 0;
    if (answer.status === 304) continue;
    tag = answer.headers.get("ETag") ?? "";
    const planned = run.job.plan;
    run.job = await answer.json();
    if (!planned && run.job.plan && run.photo === state.shown) say(`${run.photo.name}: ${workingWords(run)}`);
    paint(run.photo);
  }
}

/** Whether a map of errors may be asked for with these options. */
function hasMap({ model, method, repair, scale, realism }) {
  if (method || repair || realism || (scale && !model)) return false;
  return !model || Boolean(state.models[model]?.uncertainty);
}

export function discard(run) {
  if (run.job) fetch(run.path, { method: "DELETE", keepalive: true }).catch(() => {});
  run.job = null;
}

export function cancel(run) {
  if (!UNSETTLED.has(run.state)) return;
  run.state = "canceled";
  run.abort.abort();
  discard(run);
}

export function retry(runs) {
  for (const run of runs) {
    discard(run);
    run.reset();
    paint(run.photo);
  }
  pump();
}

/** Restore with these options; if this photograph has such a result already, show it and answer false. */
export function restore(photo, options) {
  const same = photo.runs.find((run) => run.key === JSON.stringify(options));
  if (!same) photo.runs.push(new Run(photo, options));
  else if (LOST.has(same.state)) {
    photo.runs = [...photo.runs.filter((run) => run !== same), same];
    retry([same]);
  } else if (same.done) photo.right = same;
  paint(photo);
  return !same?.finished;
}

/** Say of a result that the server has removed it. */
export function lose(run) {
  if (!run.finished) return;
  const minutes = count(state.about.limits.minutes, "minute");
  const why = `The server has removed this result: it keeps results for ${minutes}. Press Retry to restore it again.`;
  Object.assign(run, { state: "failed", job: null, why });
  for (const side of ["left", "right"]) if (run.photo[side] === run) run.photo[side] = null;
  paint(run.photo);
}
