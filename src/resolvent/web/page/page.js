/* The page of `resolvent serve`: photographs go to the server as jobs, and come back to be compared and saved. */

const POLL = 400; // milliseconds between two looks at a job
const GLANCE = 100; // a photograph that is passed more quickly is not fetched
const PICTURES = 64; // pictures that are kept
const OWN = 1e8; // pixels of a file that the browser may draw as a whole
const ABANDON = 120; // seconds without a request after which the server stops a job
const CROP = { side: 1024, most: 16, kept: 40 };
const ZOOMS = [1 / 16, 1 / 8, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 1, 1.5, 2, 3, 4, 6, 8, 12, 16];
const ACTIVE = new Set(["sending", "working"]);
const UNSETTLED = new Set(["waiting", ...ACTIVE]);
const LOST = new Set(["failed", "canceled"]);
const FINAL = new Set([413, 415, 422]); // of what fails again however often it is tried
const ICONS = { waiting: "i-wait", done: "i-check", unchanged: "i-equal", failed: "i-alert", canceled: "i-close" };
const STATES = {
  waiting: "waiting", sending: "being sent", working: "being restored", done: "restored", unchanged: "nothing to fix",
  failed: "not restored", canceled: "canceled",
};
const SAVING = ["ext", "quality", "strip"];
const DEFAULTS = {
  tool: "", sigma: "", scale: "1", realism: "0", repair: false, degradation: "", ext: "", quality: "", strip: "", layer: "result",
  divider: 0.5, split: false, details: false,
};

/* ------------------------------------------------------------------------------------------------ small things */

const $ = (id) => document.getElementById(id);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const capital = (text) => (startsWithName(text) ? text : text.slice(0, 1).toUpperCase() + text.slice(1));
const sentence = (text) => capital(text ?? "") + (!text || /[.!?…]$/.test(text) ? "" : ".");
const count = (number, one) => `${number} ${one}${number === 1 ? "" : "s"}`;
const extension = (name) => (/\.[^./\\]+$/.exec(name)?.[0] ?? "").toLowerCase();
const byName = (a, b) => a.localeCompare(b, undefined, { numeric: true });
const make = (tag, properties = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
};

/** Whether a text begins with the name of a file, or with that of a model or a method before a colon or the like. */
function startsWithName(text) {
  const tools = [...Object.keys(state.models), ...Object.keys(state.methods)];
  const after = (name, pattern) => text.startsWith(name) && pattern.test(text.slice(name.length));
  return /^[^\s:]+\.[a-z]\w{1,4}\b/i.test(text) || state.photos.some(({ name }) => after(name, /^\W|^$/)) ||
    tools.some((name) => after(name, /^[:,;]|^ \d/));
}

function icon(name) {
  const [node, use] = ["svg", "use"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
  node.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#${name}`);
  node.append(use);
  return node;
}

/** Set a text, only if it differs, so that live regions speak once. */
function write(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

function hide(flags) {
  for (const [id, hidden] of Object.entries(flags)) $(id).hidden = Boolean(hidden);
}

function fillList(id, lines) {
  $(id).replaceChildren(...lines.map((line) => make("li", { textContent: sentence(line) })));
  $(id).hidden = !lines.length;
}

function duration(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

function bytes(number) {
  if (number < 999500) return `${Math.max(1, Math.round(number / 1000))} kB`;
  return `${(number / 1e6).toFixed(number < 9.95e6 ? 1 : 0)} MB`;
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop, { once: true });
  });
}

function debounce(action, milliseconds) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(action, milliseconds);
  };
}

/** Call the action once before the next frame, however often it is asked for. */
function perFrame(action) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    (document.hidden ? setTimeout : requestAnimationFrame)(() => {
      asked = false;
      action();
    });
  };
}

/* ---------------------------------------------------------------------------------------------------- the server */

class Problem extends Error {
  constructor({ detail = "", value = "", rule = "", remedy = "", status = 0 }) {
    const what = rule ? [value, rule].filter(Boolean).join(": ") : detail;
    super([what, remedy].map(sentence).filter(Boolean).join(" "));
    this.status = status;
  }

  static async of(answer) {
    const body = await answer.json().catch(() => ({}));
    return new Problem({ detail: `The server answered ${answer.status}.`, ...body, status: answer.status });
  }
}

/** Ask the server; on the way ask for a token if it wants one, and wait if it is busy. */
async function send(path, { busy, ...options } = {}) {
  for (;;) {
    const answer = await fetch(path, options).catch((error) => {
      if (error.name === "AbortError") throw error;
      throw new Problem({ detail: "Resolvent does not answer.", remedy: "start it again, then press Retry" });
    });
    if (answer.status === 401) await askToken();
    else if (answer.status === 429 || answer.status === 503) {
      busy?.(await Problem.of(answer));
      await pause(1000 * clamp(Number(answer.headers.get("Retry-After")) || 1, 0.5, 60), options.signal);
    } else if (answer.ok || answer.status === 304) return answer;
    else throw await Problem.of(answer);
  }
}

const ask = async (path) => (await send(path)).json();

const pictures = new Map();

/** The object URL of a picture of the server; the latest ones are kept, since the server allows no cache. */
function picture(url) {
  const known = pictures.get(url) ?? send(url).then(async (answer) => URL.createObjectURL(await answer.blob()));
  pictures.delete(url);
  pictures.set(url, known);
  known.catch(() => pictures.delete(url));
  for (const [old, made] of [...pictures].slice(0, -PICTURES)) {
    pictures.delete(old);
    made.then((address) => URL.revokeObjectURL(address), () => {});
  }
  return known;
}

let tokenAsked = null;

function askToken() {
  tokenAsked ??= new Promise((resolve) => {
    $("token-dialog").oncancel = (event) => event.preventDefault();
    $("token-form").onsubmit = async (event) => {
      event.preventDefault();
      const body = JSON.stringify({ token: $("token").value.trim() });
      const headers = { "Content-Type": "application/json" };
      const answer = await fetch("/v1/session", { method: "POST", headers, body }).catch(() => null);
      if (!answer?.ok) {
        write("token-error", answer ? (await Problem.of(answer)).message : "Resolvent does not answer.");
        $("token").select();
        return;
      }
      $("token-dialog").close();
      tokenAsked = null;
      resolve();
    };
    $("token-error").textContent = $("token").value = "";
    $("token-dialog").showModal();
  });
  return tokenAsked;
}

/* ----------------------------------------------------------------------------------------------------- the state */

const state = {
  about: null, models: {}, methods: {}, photos: [], shown: null, skipped: [], usual: {}, seconds: [], leaving: false,
};
const settings = { ...DEFAULTS };
try {
  Object.assign(settings, JSON.parse(localStorage.getItem("resolvent")));
} catch { /* a private window may have no storage */ }
settings.realism = DEFAULTS.realism; // detail is never invented because it was once

function remember(changes) {
  Object.assign(settings, changes);
  try {
    localStorage.setItem("resolvent", JSON.stringify(settings));
  } catch { /* as above */ }
}

/** One way of restoring one photograph: at most one job of the server. */
class Run {
  constructor(photo, options) {
    Object.assign(this, { photo, options, strength: 1, saved: false });
    this.reset();
  }

  reset() { Object.assign(this, { state: "waiting", job: null, why: "", status: 0, abort: new AbortController() }); }

  get key() { return JSON.stringify(this.options); }
  get path() { return `/v1/jobs/${this.job.id}`; }
  get result() { return this.job?.result ?? null; }
  get done() { return this.state === "done"; }
  get retriable() { return LOST.has(this.state) && !FINAL.has(this.status); }
  get finished() { return this.done || this.state === "unchanged"; }
  get blend() { return this.result?.blendable ? this.strength : 1; }

  get label() {
    const { model, method, sigma, scale, realism, repair } = this.options;
    const words = [];
    if (model || method) words.push(sigma ? `${model} ${sigma}` : model || method);
    else if (!repair && !realism) words.push(this.result?.model ? `Automatic (${this.result.model})` : "Automatic");
    if (scale) words.push(`×${scale}`);
    if (repair) words.push(words.length ? "repaired" : "Repaired");
    return [words.join(" "), ...inventedWords(this.options)].join(", ");
  }

  /** Where the file is, in the form that is wanted. */
  file(form = settings) {
    const query = new URLSearchParams(SAVING.filter((key) => form[key]).map((key) => [key, form[key]]));
    if (this.blend < 1) query.set("strength", this.blend);
    return `${this.path}/result?${query}`;
  }
}

class Photo {
  constructor(file, folder) {
    const { heif, tiff, ...drawn } = state.about.formats;
    const drawable = Object.values(drawn).flat().includes(extension(file.name));
    Object.assign(this, { file, folder, name: file.name, drawable, thumbed: false, url: null });
    Object.assign(this, { runs: [], left: null, right: null, item: makeItem(this) });
  }

  get latest() { return this.runs.at(-1); }
  get state() { return this.latest.state; }
  get results() { return this.runs.filter((run) => run.done); }
  get best() { return this.right ?? this.runs.findLast((run) => run.finished) ?? null; }
  get source() { return this.runs.find((run) => run.finished) ?? null; }
  get known() { return this.runs.find((run) => run.job?.photograph) ?? null; }
}

const allRuns = () => state.photos.flatMap((photo) => photo.runs);

/* ------------------------------------------------------------------------------------------------------ the work */

function pump() {
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

function discard(run) {
  if (run.job) fetch(run.path, { method: "DELETE", keepalive: true }).catch(() => {});
  run.job = null;
}

function cancel(run) {
  if (!UNSETTLED.has(run.state)) return;
  run.state = "canceled";
  run.abort.abort();
  discard(run);
}

function retry(runs) {
  for (const run of runs) {
    discard(run);
    run.reset();
    paint(run.photo);
  }
  pump();
}

/** Restore with these options; if this photograph has such a result already, show it and answer false. */
function restore(photo, options) {
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
function lose(run) {
  if (!run.finished) return;
  const minutes = count(state.about.limits.minutes, "minute");
  const why = `The server has removed this result: it keeps results for ${minutes}. Press Retry to restore it again.`;
  Object.assign(run, { state: "failed", job: null, why });
  for (const side of ["left", "right"]) if (run.photo[side] === run) run.photo[side] = null;
  paint(run.photo);
}

/* ---------------------------------------------------------------------------------------------------- the intake */

function reasonToSkip(file) {
  const { formats, hints, limits } = state.about;
  const hint = hints?.[extension(file.name)];
  if (hint) return hint;
  if (!Object.values(formats).flat().includes(extension(file.name))) return "not a photograph that can be read";
  if (file.size === 0) return "empty";
  if (file.size > limits.megabytes * 1e6) return `${bytes(file.size)}, at most ${limits.megabytes} MB are read`;
  return state.photos.length >= limits.jobs ? `at most ${count(limits.jobs, "photograph")} at a time` : "";
}

/** Take files, each with the folder it lies in: photographs are restored, the rest is listed as skipped. */
async function take(found) {
  await loaded;
  if (!state.about) return;
  const added = [];
  for (const { file, folder } of found) {
    if (/^(\.|thumbs\.db$|desktop\.ini$)/i.test(file.name)) continue;
    const reason = reasonToSkip(file);
    if (reason) {
      state.skipped.push(`${folder}${file.name}: ${reason}`);
      continue;
    }
    const photo = new Photo(file, folder);
    photo.runs.push(new Run(photo, state.usual));
    state.photos.push(photo);
    added.push(photo);
  }
  $("list").append(...added.map((photo) => photo.item));
  added.forEach(paintItem);
  if (added.length && !state.shown) select(added[0]);
  if (added.length) say(`${count(added.length, "photograph")} added.`);
  else if (found.length === 1 && state.skipped.length && !state.photos.length) toast(sentence(state.skipped.at(-1)));
  else if (found.length && !state.photos.length) toast("There is no photograph among them that can be read.");
  paintSkipped();
  paintSoon();
  makeThumbs();
  pump();
}

const plain = (files) => [...files].map((file) => ({ file, folder: "" }));

function ofFolder(files) {
  const paths = [...files].sort((a, b) => byName(a.webkitRelativePath, b.webkitRelativePath));
  return paths.map((file) => ({ file, folder: file.webkitRelativePath.slice(0, -file.name.length) }));
}

/** All files of a dropped file or folder; what cannot be read is left out. */
async function walk(entry, folder = "") {
  const promise = (object, method) => new Promise((yes, no) => { object[method](yes, no); });
  if (entry.isFile) return promise(entry, "file").then((file) => [{ file, folder }], () => []);
  const reader = entry.createReader();
  const entries = [];
  for (let some = [0]; some.length;) entries.push(...some = await promise(reader, "readEntries").catch(() => []));
  const found = [];
  for (const one of entries.sort((a, b) => byName(a.name, b.name))) found.push(...await walk(one, `${folder}${entry.name}/`));
  return found;
}

async function takeDrop(transfer) {
  const entries = [...transfer.items].filter((one) => one.kind === "file").map((one) => one.webkitGetAsEntry());
  const files = plain(transfer.files);
  const walked = entries.length && entries.every(Boolean) ? await Promise.all(entries.map((entry) => walk(entry))) : [files];
  take(walked.flat());
}

async function takeSample({ url, name }) {
  const blob = await (await send(url)).blob();
  take(plain([new File([blob], name, { type: blob.type })]));
}

let thumbing = false;

/** Draw the thumbnails one after the other: from the file, or by the server where the browser cannot draw it. */
async function makeThumbs() {
  if (thumbing) return;
  thumbing = true;
  for (;;) {
    const photo = state.photos.find((one) => !one.thumbed && (one.drawable || one.known));
    if (!photo) break;
    photo.thumbed = true;
    await drawThumb(photo).catch(() => {
      photo.thumbed = !photo.drawable;
      photo.drawable = false;
    });
  }
  thumbing = false;
}

async function drawThumb(photo) {
  const blob = photo.drawable ? photo.file : await (await send(`${photo.known.path}/before?size=240`)).blob();
  const bitmap = await createImageBitmap(blob, { resizeHeight: 144, resizeQuality: "medium" });
  const canvas = make("canvas", { width: bitmap.width, height: bitmap.height });
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  bitmap.close();
  photo.item.firstChild.replaceChildren(canvas);
}

/* ---------------------------------------------------------------------------------------------------- the viewer */

/** One picture that zooms: a preview of the whole, and native pixels over what is visible. */
class Sheet {
  constructor(pane) {
    this.node = make("div", { className: "sheet", hidden: true });
    this.crops = make("div", { className: "crops" });
    this.tiles = new Map();
    this.source = this.drawn = null;
    pane.append(this.node);
  }

  /** Draw a source; until it has come, keep what is drawn, or draw the file of the visitor, or nothing. */
  async show(source, keep) {
    if (source?.key === this.source?.key) return;
    this.source = source;
    this.clearTiles();
    if (!source || !keep) {
      this.drawn = null;
      this.node.replaceChildren();
    }
    if (source?.local && !(this.drawn && source.url)) this.draw(source, source.local, Infinity).catch(source.undrawable);
    if (!source?.url) return;
    if (!keep) await pause(GLANCE);
    if (this.source !== source) return;
    try {
      await this.draw(source, await picture(source.url), 0);
    } catch (problem) {
      if (problem.status === 404) source.gone();
      else toast(problem instanceof Problem ? problem.message : "This picture cannot be shown.");
    }
  }

  async draw(source, url, seen) {
    const image = make("img", { src: url, alt: source.alt, draggable: false });
    await image.decode();
    if (this.source !== source || (seen && this.drawn === source)) return;
    source.width ??= image.naturalWidth;
    source.height ??= image.naturalHeight;
    this.drawn = source;
    this.seen = seen || image.naturalWidth;
    this.node.replaceChildren(image, this.crops);
    viewer.update();
  }

  clearTiles() {
    this.tiles.clear();
    this.crops.replaceChildren();
  }

  place(x, y, width, opacity) {
    this.node.hidden = !this.drawn || opacity === 0;
    if (this.node.hidden) return;
    const scale = width / this.drawn.width;
    Object.assign(this, { x, y, scale });
    Object.assign(this.node.style, {
      width: `${this.drawn.width}px`, height: `${this.drawn.height}px`, opacity,
      transform: `translate(${x}px, ${y}px) scale(${scale})`,
    });
    this.node.classList.toggle("pixels", scale * devicePixelRatio > 2.001);
  }

  /** Fetch native pixels for what is visible, if the preview has fewer than the screen shows. */
  refine(pane) {
    const { drawn, scale, seen } = this;
    if (this.node.hidden || drawn !== this.source || !drawn?.url) return;
    const density = scale * devicePixelRatio;
    const side = density < 0.7 ? 2 * CROP.side : CROP.side;
    const first = (offset) => Math.max(0, Math.floor(-offset / scale / side));
    const last = (offset, visible, all) => Math.ceil(Math.min(all, (visible - offset) / scale) / side) - 1;
    const [left, right] = [first(this.x), last(this.x, pane.width, drawn.width)];
    const [top, bottom] = [first(this.y), last(this.y, pane.height, drawn.height)];
    const own = drawn.local && drawn.width * drawn.height < OWN;
    const enough = seen >= drawn.width || density * drawn.width <= 1.02 * seen;
    this.crops.hidden = enough || (!own && (right - left + 1) * (bottom - top + 1) > CROP.most);
    if (this.crops.hidden) return;
    if (own) {
      this.tile("local", async () => drawn.local, 0, 0, drawn.width, drawn.height);
      return;
    }
    if (this.tiles.size > CROP.kept) this.clearTiles();
    for (let y = top * side; y <= bottom * side; y += side) for (let x = left * side; x <= right * side; x += side) {
      const box = [x, y, Math.min(side, drawn.width - x), Math.min(side, drawn.height - y)];
      this.tile(box.join(), () => picture(drawn.crop(...box)), ...box);
    }
  }

  tile(key, url, left, top, width, height) {
    if (this.tiles.has(key)) return;
    const tile = make("img", { alt: "", draggable: false });
    this.tiles.set(key, tile);
    for (const [name, value] of Object.entries({ left, top, width, height })) tile.style[name] = `${value}px`;
    const put = async () => {
      tile.src = await url();
      await tile.decode();
      if (this.tiles.get(key) === tile) this.crops.append(tile);
    };
    put().catch(() => this.tiles.delete(key));
  }
}

/** The stage: two panes with one zoom, a divider between them. */
class Viewer {
  constructor() {
    this.stage = $("stage");
    this.panes = ["left", "right"].map((name) => {
      const node = $(`pane-${name}`);
      return { name, node, under: new Sheet(node), over: new Sheet(node), opacity: 1 };
    });
    this.view = { fit: true, scale: 1, x: 0.5, y: 0.5 }; // what is wanted, for any photograph
    this.now = this.view; // what is shown of this one
    this.update = perFrame(() => this.draw());
    this.refine = debounce(() => {
      for (const pane of this.panes) {
        pane.over.refine(pane);
        if (pane.opacity < 1) pane.under.refine(pane);
      }
    }, 140);
    new ResizeObserver(() => this.update()).observe(this.stage);
  }

  /** Show a side: a picture, over another one where it is transparent or not there yet. */
  show(index, { over, under, opacity }, keep) {
    const pane = this.panes[index];
    pane.over.show(over, keep);
    pane.under.show(under, keep);
    pane.opacity = opacity;
  }

  compare(two) {
    this.two = two;
    this.update();
  }

  /** The larger picture of those shown: 100 % are its pixels. */
  get reference() {
    const drawn = this.panes.slice(this.two ? 0 : 1).flatMap((pane) => [pane.under.drawn, pane.over.drawn]);
    return drawn.reduce((best, one) => (!one || best?.width >= one.width ? best : one), null);
  }

  layOut() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    this.half = Boolean(settings.split && this.two);
    const [across, down] = [this.half && width >= height, this.half && width < height];
    for (const [index, pane] of this.panes.entries()) {
      const box = { width: across ? width / 2 - 1 : width, height: down ? height / 2 - 1 : height };
      Object.assign(box, { left: across ? index * (width / 2 + 1) : 0, top: down ? index * (height / 2 + 1) : 0 });
      Object.assign(pane, box);
      for (const [name, value] of Object.entries(box)) pane.node.style[name] = `${value}px`;
    }
    this.stage.classList.toggle("half", this.half);
    this.stage.classList.toggle("column", down);
    this.panes[0].node.hidden = !this.two;
  }

  draw() {
    this.layOut();
    const { reference, view, stage } = this;
    const [, pane] = this.panes;
    stage.classList.toggle("blank", !reference);
    const coming = this.panes.some(({ under, over }) => under.source || over.source);
    if (!reference && !coming) this.drawNothing();
    if (!reference || !pane.width) return;
    const ratio = devicePixelRatio;
    const margin = Math.min(24, pane.width / 40);
    const room = Math.min((pane.width - 2 * margin) / reference.width, (pane.height - 2 * margin) / reference.height);
    this.fit = Math.min(room, 2) * ratio;
    this.most = Math.max(16, this.fit);
    const scale = view.fit ? this.fit : clamp(view.scale, Math.min(this.fit, 1), this.most);
    const [width, height] = [reference.width, reference.height].map((side) => (side * scale) / ratio);
    const hold = (center, all, visible) => (all <= visible ? 0.5 : clamp(center, visible / all / 2, 1 - visible / all / 2));
    this.now = { scale, x: hold(view.x, width, pane.width), y: hold(view.y, height, pane.height) };
    const snap = (value) => Math.round(value * ratio) / ratio;
    const x = snap(pane.width / 2 - this.now.x * width);
    const y = snap(pane.height / 2 - this.now.y * height);
    for (const { under, over, opacity } of this.panes) {
      under.place(x, y, width, opacity === 1 && over.drawn ? 0 : 1);
      over.place(x, y, width, opacity);
    }
    this.area = { x, y, width, height };
    stage.classList.toggle("loading", pane.over.source !== pane.over.drawn);
    this.drawDivider(pane);
    this.drawZoom();
    this.refine();
  }

  drawNothing() {
    this.area = null;
    hide({ divider: true, handle: true, "corner-left": true, "corner-right": true });
    write("zoom", "–");
  }

  drawDivider(pane) {
    const { x, y, width, height } = this.area;
    const [left, top] = [Math.max(x, 0), Math.max(y, 0)];
    this.seen = { left, top, width: Math.min(x + width, pane.width) - left, height: Math.min(y + height, pane.height) - top };
    this.at = left + (this.held ? 1 : settings.divider) * this.seen.width;
    for (const [name, value] of Object.entries({ ...this.seen, at: this.at })) this.stage.style.setProperty(`--${name}`, `${value}px`);
    const divided = Boolean(this.two && !this.half);
    this.stage.classList.toggle("divided", divided);
    hide({ divider: !divided, handle: !divided, "corner-left": !this.two, "corner-right": this.held && divided });
    const percent = Math.round(100 * settings.divider);
    $("divider").value = percent;
    $("divider").setAttribute("aria-valuetext", `${percent} % of the width shows the left picture`);
  }

  drawZoom() {
    const { scale } = this.now;
    this.fits = Math.abs(scale / this.fit - 1) < 0.001;
    write("zoom", `${Math.round(100 * scale)} %`);
    $("zoom-fit").setAttribute("aria-pressed", String(this.fits));
    $("zoom-full").setAttribute("aria-pressed", String(scale === 1));
    $("split").setAttribute("aria-pressed", String(settings.split));
    this.stage.classList.toggle("zoomed", scale > this.fit * 1.001);
  }

  /** Zoom so that the point of the picture under (x, y) of a pane stays there; 0 shows all of it. */
  zoomTo(scale, x = this.panes[1].width / 2, y = this.panes[1].height / 2) {
    if (!this.area) return;
    const { area, now, fit } = this;
    const [, pane] = this.panes;
    const wanted = Math.abs(scale - 1) < 0.015 ? 1 : scale;
    const next = scale ? clamp(wanted, Math.min(fit, 1), this.most) : fit;
    const center = (at, offset, all, visible) => (at - offset) / all + ((visible / 2 - at) * now.scale) / (all * next);
    this.view = {
      fit: Math.abs(next / fit - 1) < 0.001, scale: next,
      x: center(x, area.x, area.width, pane.width), y: center(y, area.y, area.height, pane.height),
    };
    this.draw();
  }

  zoomBy(factor, x, y) { this.zoomTo(this.now.scale * factor, x, y); }

  step(direction) {
    const { scale } = this.now;
    const next = direction > 0 ? ZOOMS.find((zoom) => zoom > scale * 1.01) : ZOOMS.findLast((zoom) => zoom < scale * 0.99);
    this.zoomTo(next ?? (direction > 0 ? this.most : 0));
  }

  toggle(x, y) { this.zoomTo(this.fits ? (this.fit >= 1 ? 2 * this.fit : 1) : 0, x, y); }

  pan(x, y) {
    if (!this.area) return;
    Object.assign(this.view, { x: this.now.x - x / this.area.width, y: this.now.y - y / this.area.height });
    this.draw();
  }

  divide(x) {
    remember({ divider: clamp((x - this.seen.left) / this.seen.width, 0, 1) });
    this.update();
  }

  split() {
    remember({ split: !settings.split });
    this.update();
  }

  /** Show the left picture alone while a key is held. */
  hold(held) {
    this.held = held;
    this.update();
  }

  onHandle({ x, y, touch }) {
    const { left, top, width, height } = this.seen ?? {};
    const inside = x >= left - 24 && x <= left + width + 24 && y >= top && y <= top + height;
    return !$("divider").hidden && inside && Math.abs(x - this.at) <= (touch ? 26 : 14);
  }

  /** The point of an event in its pane. */
  point({ clientX, clientY, pointerType, timeStamp }) {
    const box = this.stage.getBoundingClientRect();
    const [x, y] = [clientX - box.left, clientY - box.top];
    const pane = (this.half && this.panes.findLast((one) => x >= one.left && y >= one.top)) || this.panes[1];
    return { x: x - pane.left, y: y - pane.top, touch: pointerType === "touch", time: timeStamp };
  }

  /** Pointers: the handle moves the divider; elsewhere they pan if zoomed, and move it if not; two of them zoom. */
  listen() {
    const { stage } = this;
    const pointers = new Map();
    let [mode, start, tap] = ["", null, null];
    const far = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);
    const middle = () => {
      const [a, b] = pointers.values();
      return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, length: Math.max(1, far(a, b)) };
    };
    stage.addEventListener("pointerdown", (event) => {
      if (event.button || event.target.closest(".card") || !this.area) return;
      const point = this.point(event);
      stage.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, point);
      start = { ...point, moved: pointers.size > 1 };
      if (pointers.size > 1) mode = pointers.size === 2 ? "pinch" : "";
      else if (this.onHandle(point)) mode = "divide";
      else mode = stage.classList.contains("zoomed") || $("divider").hidden ? "pan" : "divide when moved";
      stage.classList.toggle("dragging", mode === "pan");
    });
    stage.addEventListener("pointermove", (event) => {
      const point = this.point(event);
      const last = pointers.get(event.pointerId);
      if (!last) {
        stage.classList.toggle("near", this.onHandle(point));
        return;
      }
      const before = mode === "pinch" ? middle() : null;
      pointers.set(event.pointerId, point);
      start.moved ||= far(point, start) > 4;
      if (mode === "divide when moved" && start.moved) mode = "divide";
      if (mode === "divide") this.divide(point.x);
      else if (mode === "pan") this.pan(point.x - last.x, point.y - last.y);
      else if (mode === "pinch") {
        const now = middle();
        this.pan(now.x - before.x, now.y - before.y);
        this.zoomBy(now.length / before.length, now.x, now.y);
      }
    });
    const end = (event) => {
      if (!pointers.delete(event.pointerId)) return;
      const point = this.point(event);
      if (event.type === "pointerup" && !start.moved) {
        const twice = tap && point.time - tap.time < 350 && far(point, tap) < 30;
        if (twice) this.toggle(point.x, point.y);
        tap = twice ? null : point;
      }
      mode = pointers.size ? "pan" : "";
      stage.classList.remove("dragging");
    };
    stage.addEventListener("pointerup", end);
    stage.addEventListener("pointercancel", end);
    stage.addEventListener("wheel", (event) => {
      event.preventDefault();
      const { x, y } = this.point(event);
      const lines = event.deltaMode === 1 ? 20 : 1;
      this.zoomBy(Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0016)), x, y);
    }, { passive: false });
    $("divider").oninput = ({ target }) => {
      remember({ divider: target.value / 100 });
      this.update();
    };
  }
}

const viewer = new Viewer();

/* --------------------------------------------------------------------------------------------- what a side shows */

const previewSize = () => clamp(1024 * Math.ceil((Math.max(innerWidth, innerHeight) * devicePixelRatio) / 1024), 2048, 4096);

function remote(run, part, { width, height }, alt) {
  const path = `${run.path}/${part}`;
  const crop = (...box) => `${path}?crop=${box.join(",")}`;
  return { key: path, url: `${path}?size=${previewSize()}`, crop, alt, width, height, gone: () => lose(run) };
}

function originalOf(photo) {
  const alt = `${photo.name}, original`;
  const run = photo.source ?? (photo.drawable ? null : photo.known);
  if (photo.drawable) photo.url ??= URL.createObjectURL(photo.file);
  const local = photo.drawable ? photo.url : null;
  const undrawable = () => {
    photo.drawable = false;
    paint(photo);
  };
  if (run) return { ...remote(run, "before", run.job.photograph, alt), local, undrawable };
  return local ? { key: local, local, alt, undrawable } : null;
}

function sideOf(photo, run, layer) {
  const original = originalOf(photo);
  if (!run) return { over: original, under: null, opacity: 1 };
  const alt = `${photo.name}, ${layer ? state.about.layers[layer].label : run.label}`;
  const over = remote(run, layer ? `layers/${layer}` : "after", run.result, alt);
  return { over, under: original, opacity: layer ? 1 : run.blend };
}

/** The layer that is wanted, if the result has it. */
const layerOf = (run) => (run?.result.layers.includes(settings.layer) ? settings.layer : null);

/** Fetch what the next photograph will show. */
const preload = debounce(() => {
  const next = state.photos[state.photos.indexOf(state.shown) + 1];
  if (!next?.right) return;
  const { over, under } = sideOf(next, next.right, layerOf(next.right));
  for (const source of [over, under]) if (source?.url) picture(source.url).catch(() => {});
}, 900);

/* -------------------------------------------------------------------------------------------------- the filmstrip */

function makeItem(photo) {
  const parts = ["thumb", "meter", "badge", "item-name"].map((className) => make("span", { className }));
  parts[3].textContent = photo.name;
  const node = make("div", { className: "item", role: "option", title: photo.folder + photo.name }, ...parts);
  node.onclick = () => select(photo, true);
  return node;
}

function paintItem(photo) {
  const { item, state: now, latest } = photo;
  const shown = photo === state.shown;
  item.setAttribute("aria-selected", String(shown));
  item.setAttribute("aria-label", `${photo.name}, ${STATES[now]}`);
  item.tabIndex = shown ? 0 : -1;
  item.style.setProperty("--progress", Math.max(0.04, latest.job?.progress ?? 0));
  if (item.dataset.state === now) return;
  item.dataset.state = now;
  item.children[2].replaceChildren(...(ICONS[now] ? [icon(ICONS[now])] : []));
}

function select(photo, focus = false) {
  const before = state.shown;
  state.shown = photo;
  if (before && before !== photo) paintItem(before);
  if (photo) {
    paintItem(photo);
    if (focus) photo.item.focus({ preventScroll: true });
    photo.item.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
  paintSoon();
}

function move(by, focus) {
  const next = state.photos[clamp(state.photos.indexOf(state.shown) + by, 0, state.photos.length - 1)];
  if (next !== state.shown) select(next, focus);
}

function remove(photo) {
  const focus = document.activeElement === photo.item;
  const at = state.photos.indexOf(photo);
  for (const run of photo.runs) {
    cancel(run);
    discard(run);
  }
  photo.item.remove();
  if (photo.url) URL.revokeObjectURL(photo.url);
  state.photos.splice(at, 1);
  if (photo === state.shown) select(state.photos[Math.min(at, state.photos.length - 1)] ?? null, focus);
  say(`${photo.name} removed.`);
  paintAll();
  if (!state.shown) $("choose-files").focus();
  pump();
}

/** Ask before something is lost; answer whether to go on. */
async function confirmed(title, text, no, yes) {
  for (const [id, words] of Object.entries({ "ask-title": title, "ask-text": text, "ask-no": no, "ask-yes": yes })) write(id, words);
  const dialog = $("ask-dialog");
  dialog.returnValue = "no";
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  return dialog.returnValue === "yes";
}

async function askToRemove(photo) {
  const [working, unsaved] = [UNSETTLED.has(photo.state), photo.results.some((run) => !run.saved)];
  const loss = unsaved ? "Its result was not downloaded." : "It is not restored yet.";
  if ((working || unsaved) && !(await confirmed(`Remove ${photo.name}?`, loss, "Keep it", "Remove"))) return;
  if (state.photos.includes(photo)) remove(photo);
}

async function startOver() {
  const many = count(state.photos.length, "photograph");
  const text = `${many} and the results are removed from this page and from the server. Your files stay as they are.`;
  if (!(await confirmed("Start over?", text, "Keep them", "Start over"))) return;
  Object.assign(state, { skipped: [], usual: {} });
  [...state.photos].reverse().forEach(remove);
  paintForm();
}

/* ------------------------------------------------------------------------------------------------------- painting */

const paintSoon = perFrame(paintAll);
let painted = null;

function paint(photo) {
  if (!state.photos.includes(photo)) return;
  paintItem(photo);
  if (!photo.thumbed) makeThumbs();
  paintSoon();
}

function paintAll() {
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
const inventedWords = ({ realism }) => (realism ? [`detail invented, ${Math.round(100 * realism)}\u00a0%`] : []);

function workingWords({ state: now, job, photo }) {
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
  write("name", photo.name);
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
  hide({ legend: !shown });
  if (!shown) return;
  const { color, legend, ticks } = state.about.layers[shown];
  $("legend").style.setProperty("--layer", color);
  $("ticks").replaceChildren(...ticks.map((tick) => make("span", { textContent: tick })));
  write("legend-text", sentence(legend));
  write("legend-sentence", shown === "uncertainty" ? sentence(run.result.uncertainty?.sentence) : "");
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

function paintSkipped() {
  const { skipped } = state;
  hide({ skipped: !skipped.length });
  write("skipped-text", `${count(skipped.length, "file")} skipped`);
  $("skipped-list").replaceChildren(...skipped.slice(0, 200).map((line) => make("li", { textContent: line })));
}

const say = (text) => write("live", text);

const untoast = debounce(() => {
  $("toast").classList.remove("shown");
  write("toast", "");
}, 6000);

function toast(text) {
  write("toast", text);
  $("toast").classList.add("shown");
  untoast();
}

/** Tell what became of a run to those who do not see it. */
function tell(run) {
  const settled = state.photos.filter((photo) => !UNSETTLED.has(photo.state)).length;
  if (run.photo === state.shown || run.why) say(`${run.photo.name}: ${STATES[run.state]}. ${run.why}`);
  else if (settled === state.photos.length || settled % 10 === 0) say(`${settled} of ${count(state.photos.length, "photograph")} ready.`);
}

/* -------------------------------------------------------------------------------------------------------- saving */

function download({ best }) {
  make("a", { href: best.file(), download: "" }).click();
  best.saved = true;
}

/** Ask for the archive once to see that it comes, then let the browser save it. */
async function downloadAll() {
  const ready = state.photos.filter((photo) => photo.best);
  const form = { ext: settings.ext || null, quality: Number(settings.quality) || null, strip: settings.strip || null };
  const items = JSON.stringify(ready.map(({ best, folder }) => ({ job: best.job.id, strength: best.blend, ...form, folder })));
  const attempt = new AbortController();
  try {
    await send("/v1/archive", { method: "POST", body: new URLSearchParams({ items }), signal: attempt.signal });
  } catch (problem) {
    toast(problem.message);
    return;
  }
  attempt.abort();
  const field = make("input", { name: "items", value: items });
  const post = make("form", { method: "post", action: "/v1/archive", hidden: true }, field);
  document.body.append(post);
  state.leaving = true;
  post.submit();
  post.remove();
  setTimeout(() => { state.leaving = false; }, 2000);
  for (const { best } of ready) best.saved = true;
}

async function copy({ best }) {
  const form = { ext: "png", strip: settings.strip };
  try {
    const png = send(best.file(form)).then((answer) => answer.blob());
    await navigator.clipboard.write([new ClipboardItem({ "image/png": png })]);
    toast("The result is copied.");
  } catch (problem) {
    toast(problem instanceof Problem ? problem.message : "The browser did not allow to copy.");
  }
}

/* ------------------------------------------------------------------------------------------------------ the form */

function tool() {
  const [kind, name] = settings.tool.split(":");
  const [model, method] = [kind === "model" ? name : "", kind === "method" ? name : ""];
  return { model, method, card: state.models[model] ?? state.methods[method] };
}

/** Whether the model enlarges by itself, or a method is chosen, which leaves the size as it is. */
function sizeIsFixed() {
  const { method, card } = tool();
  return Boolean(method) || card?.scale > 1;
}

/** Whether the model that is chosen, or the one that the size takes, can invent detail. */
function canInvent() {
  const { model, method, card } = tool();
  if (model || method) return Boolean(card?.realism);
  return Object.values(state.models).some((one) => one.realism && one.scale === Number(settings.scale));
}

/** The options of a job, as the form says. */
function chosen() {
  const { model, method, card } = tool();
  const options = {};
  if (model) options.model = model;
  if (card?.noise_level && settings.sigma !== "") options.sigma = settings.sigma;
  if (method) Object.assign(options, { method, degradation: settings.degradation || card.example });
  if (settings.scale !== "1" && !sizeIsFixed()) options.scale = settings.scale;
  if (canInvent() && Number(settings.realism)) options.realism = settings.realism / 100;
  if (settings.repair) options.repair = "true";
  return options;
}

function fillForm() {
  const { formats, written, layers } = state.about;
  const models = Object.keys(state.models).filter((name) => !state.models[name].finds && !state.models[name].fills);
  const methods = Object.keys(state.methods).filter((name) => state.methods[name].missing === null);
  const group = (label, kind, names) => {
    const options = names.map((name) => make("option", { value: `${kind}:${name}`, textContent: name }));
    return make("optgroup", { label }, ...options);
  };
  $("tool").append(group("Models", "model", models), group("Methods", "method", methods));
  $("ext").append(...written.map((name) => make("option", { value: formats[name][0].slice(1), textContent: name.toUpperCase() })));
  for (const key of ["tool", "ext"]) if (![...$(key).options].some(({ value }) => value === settings[key])) settings[key] = "";
  for (const key of ["tool", "sigma", "degradation", "scale", "realism", ...SAVING]) $(key).value = settings[key];
  $("repair").checked = settings.repair;
  $("files").accept = ["image/*", ...Object.values(formats).flat()].join(",");
  const choice = (value, label, color) => {
    const input = make("input", { type: "radio", name: "layer", value });
    input.onchange = () => {
      remember({ layer: value });
      paintSoon();
    };
    const dot = make("i", { className: "dot", hidden: !color });
    dot.style.setProperty("--layer", color);
    return make("label", { className: "choice" }, input, make("span", { textContent: label }), dot);
  };
  const others = Object.entries(layers).map(([name, { label, color }]) => choice(name, capital(label), color));
  $("layers").append(choice("result", "Result", ""), ...others);
  paintForm();
}

function paintForm() {
  const { method, card } = tool();
  const cost = method && card.cost !== "seconds" ? `; takes ${card.cost}` : "";
  write("tool-hint", sentence(card ? card.summary + cost : "measures the photograph and chooses"));
  if (card?.sigma_range) [$("sigma").min, $("sigma").max] = card.sigma_range;
  $("scale").disabled = sizeIsFixed();
  write("realism-text", `${settings.realism} %`);
  const lossless = ["png", "tif", "tiff", "bmp"].includes(settings.ext);
  hide({ "sigma-field": !card?.noise_level, "degradation-field": !method, "repair-hint": !settings.repair });
  hide({ "realism-field": !canInvent(), "quality-field": lossless, "new-hint": !Object.keys(state.usual).length });
  write("new-text", `New photographs: ${new Run(null, state.usual).label}.`);
}

function listenToForm() {
  $("form").oninput = ({ target }) => {
    if (!target.checkValidity()) return;
    remember({ [target.id]: target.type === "checkbox" ? target.checked : target.value });
    const { method, card } = tool();
    if (target.id === "tool" && method) {
      remember({ degradation: card.example });
      $("degradation").value = card.example;
    }
    paintForm();
  };
  $("form").onsubmit = (event) => {
    event.preventDefault();
    if (!restore(state.shown, chosen())) toast("This result exists already: it is shown on the right.");
    pump();
  };
  $("for-all").onclick = () => {
    if (!$("form").reportValidity()) return;
    state.usual = chosen();
    state.photos.forEach((photo) => restore(photo, state.usual));
    paintForm();
    pump();
  };
  $("details").open = settings.details;
  $("details").ontoggle = () => remember({ details: $("details").open });
  $("more").ontoggle = () => $("more").open && $("form").scrollIntoView({ block: "nearest" });
  $("back").onclick = () => {
    state.usual = {};
    paintForm();
    $("for-all").focus();
  };
}

/* -------------------------------------------------------------------------------------------------------- events */

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
const loaded = load().catch((problem) => toast(problem.message));
