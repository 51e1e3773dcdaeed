/* The page of `resolvent serve`: photographs go to the server as jobs, and come back to be compared and saved. */

import { $, hide, make, UNSETTLED, write } from "./basics.js";
import { say, toast } from "./words.js";
import { ask, send } from "./server.js";
import { allRuns, state } from "./state.js";
import { cancel, discard, lose, pump, restore, retry } from "./work.js";
import { ofFolder, plain, take, takeDrop, takeSample } from "./intake.js";
import { viewer } from "./viewer.js";
import { askToRemove, move, startOver } from "./filmstrip.js";
import { paint, paintSkipped, paintSoon } from "./painting.js";
import { copy, download, downloadAll } from "./saving.js";
import { chosen, fillForm, listenToForm } from "./form.js";

const BUTTONS = {
  "choose-files": () => $("files").click(), "choose-folder": () => $("folder").click(), add: () => $("files").click(),
  download: () => download(state.shown), "download-all": downloadAll, copy: () => copy(state.shown),
  restart: startOver, help: () => $("help-dialog").showModal(), remove: () => askToRemove(state.shown),
  "zoom-in": () => viewer.step(1), "zoom-out": () => viewer.step(-1), "zoom-fit": () => viewer.zoomTo(0),
  "zoom-full": () => viewer.zoomTo(1), split: () => viewer.split(),
  "retry-all": () => retry(allRuns().filter((run) => run.retriable)),
  "cancel-all": () => {
    allRuns().forEach(cancel);
    state.photos.forEach(paint);
    say("Canceled.");
  },
  "card-cancel": () => {
    cancel(state.shown.latest);
    paint(state.shown);
    pump();
  },
  "card-retry": () => retry([state.shown.latest]),
  "card-remove": () => askToRemove(state.shown),
  "card-dismiss": () => {
    if (state.shown.state === "unchanged") state.shown.latest.dismissed = true;
    else discard(state.shown.runs.pop());
    paint(state.shown);
  },
  "card-anyway": () => {
    const options = chosen();
    const model = state.models.restore ? "restore" : Object.keys(state.models)[0];
    restore(state.shown, options.model || options.method ? options : { model });
    pump();
  },
  "skipped-close": () => {
    state.skipped = [];
    paintSkipped();
  },
};

const KEYS = {
  "+": () => viewer.step(1), "=": () => viewer.step(1), "-": () => viewer.step(-1), 0: () => viewer.zoomTo(0),
  1: () => viewer.zoomTo(1), s: () => viewer.split(), b: () => viewer.hold(true), "?": () => $("help-dialog").showModal(),
  ArrowLeft: (focus) => move(-1, focus), ArrowRight: (focus) => move(1, focus), Home: (focus) => move(-Infinity, focus),
  End: (focus) => move(Infinity, focus), Delete: () => askToRemove(state.shown),
};

function listenToButtons() {
  for (const [id, action] of Object.entries(BUTTONS)) $(id).onclick = () => {
    action();
    if (/^(card|cancel|retry)-/.test(id)) state.shown?.item.focus({ preventScroll: true }); // the button goes
  };
  for (const [id, order] of Object.entries({ files: plain, folder: ofFolder })) $(id).onchange = ({ target }) => {
    take(order(target.files));
    target.value = "";
  };
  $("strength").oninput = ({ target }) => {
    Object.assign(state.shown.right, { strength: target.value / 100, saved: false });
    paintSoon();
  };
  $("list").addEventListener("wheel", ({ deltaX, deltaY }) => $("list").scrollBy(deltaX ? 0 : deltaY, 0), { passive: true });
  $("copy").hidden = !globalThis.ClipboardItem || !navigator.clipboard;
  if (/Mac|iP/.test(navigator.platform)) write("paste-key", "⌘");
}

function listenToDrops() {
  let depth = 0;
  const veil = (change) => {
    depth = Math.max(0, depth + change);
    hide({ veil: depth === 0 });
  };
  const actions = {
    dragenter: () => veil(1), dragleave: () => veil(-1), dragover: () => {},
    drop: ({ dataTransfer }) => {
      veil(-depth);
      takeDrop(dataTransfer);
    },
  };
  for (const [name, action] of Object.entries(actions)) addEventListener(name, (event) => {
    if (!event.dataTransfer?.types.includes("Files") || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    action(event);
  });
  addEventListener("paste", ({ clipboardData }) => clipboardData?.files.length && take(plain(clipboardData.files)));
}

function listenToKeys() {
  addEventListener("keydown", (event) => {
    const { target, key } = event;
    const inList = $("list").contains(target);
    const letter = key.length === 1;
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (target.matches("select, input:not([type=range], [type=radio], [type=checkbox])")) return;
    const action = KEYS[letter ? key.toLowerCase() : key];
    if (!action || (!letter && !inList && target !== document.body) || (!state.shown && key !== "?")) return;
    event.preventDefault();
    action(inList);
  });
  addEventListener("keyup", ({ key }) => key.toLowerCase() === "b" && viewer.hold(false));
  addEventListener("beforeunload", (event) => {
    const open = allRuns().some((run) => UNSETTLED.has(run.state) || (run.done && !run.saved));
    if (open && !state.leaving) event.preventDefault();
  });
  addEventListener("pagehide", ({ persisted }) => {
    if (!persisted) allRuns().filter((run) => UNSETTLED.has(run.state)).forEach(discard);
  });
}

/** Ask for all results now and then: the server removes what nobody asks for. */
function keepResults() {
  setInterval(() => {
    for (const run of allRuns()) if (run.finished) send(run.path).catch((problem) => problem.status === 404 && lose(run));
  }, 15_000 * state.about.limits.minutes);
}

function fillSamples({ samples }) {
  hide({ samples: !samples.length });
  if (samples.length === 1) write("samples-title", "Or try this one");
  for (const sample of samples) {
    const parts = [make("img", { src: sample.url, alt: "" }), make("span", { textContent: sample.title })];
    const button = make("button", { type: "button", className: "sample" }, ...parts);
    button.onclick = () => takeSample(sample).catch((problem) => toast(problem.message));
    $("sample-list").append(make("li", {}, button));
  }
}

async function load() {
  state.about = await ask("/v1/about");
  [state.models, state.methods] = await Promise.all([ask("/v1/models"), ask("/v1/methods")]);
  fillForm();
  fillSamples(state.about);
  keepResults();
  document.body.classList.add("ready");
}

for (const listen of [listenToButtons, listenToDrops, listenToForm, listenToKeys]) listen();
viewer.listen();
export const loaded = load().catch((problem) => toast(problem.message));
