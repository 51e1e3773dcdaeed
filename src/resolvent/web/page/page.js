/* The page of `resolvent serve`: photographs go to the server as jobs, and come back to be compared and saved. */

const POLL = 400;
const PICTURES = 64;
const CROP = { side: 1024, most: 16, kept: 40 };
const ZOOMS = [1 / 16, 1 / 8, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 1, 1.5, 2, 3, 4, 6, 8, 12, 16];
const ACTIVE = new Set(["sending", "working"]);
const UNSETTLED = new Set(["waiting", "sending", "working"]);
const LOST = new Set(["failed", "canceled"]);
const ICONS = { waiting: "i-wait", done: "i-check", unchanged: "i-equal", failed: "i-alert", canceled: "i-close" };
const STATES = {
  waiting: "waiting", sending: "being read", working: "being restored", done: "restored", unchanged: "nothing to fix",
  failed: "failed", canceled: "canceled",
};
const DEFAULTS = {
  tool: "", sigma: "", scale: "1", repair: false, degradation: "", ext: "", quality: "", strip: "",
  layer: "result", divider: 0.5, split: false,
};

/* ------------------------------------------------------------------------------------------------ small things */

const $ = (id) => document.getElementById(id);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const capital = (text) => (text ? text[0].toUpperCase() + text.slice(1) : "");
const sentence = (text) => (text ? capital(text) + (/[.!?…]$/.test(text) ? "" : ".") : "");
const count = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;
const extension = (name) => (/\.[^./\\]+$/.exec(name)?.[0] ?? "").toLowerCase();
const byName = (a, b) => a.localeCompare(b, undefined, { numeric: true });

function make(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const node = document.createElementNS(space, "svg");
  node.setAttribute("aria-hidden", "true");
  node.append(document.createElementNS(space, "use"));
  node.firstChild.setAttribute("href", `#${name}`);
  return node;
}

/** Set the text, only if it differs, so that live regions speak once. */
function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function list(node, lines) {
  node.replaceChildren(...lines.map((line) => make("li", { textContent: sentence(line) })));
  node.hidden = lines.length === 0;
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
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
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
    if (!asked) requestAnimationFrame(() => {
      asked = false;
      action();
    });
    asked = true;
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
async function send(path, options = {}) {
  for (;;) {
    let answer;
    try {
      answer = await fetch(path, options);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Problem({ detail: "Resolvent does not answer.", remedy: "start it again, then press Retry" });
    }
    if (answer.status === 401) await askToken();
    else if (answer.status === 429 || answer.status === 503) {
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

let tokenGiven = null;

function askToken() {
  tokenGiven ??= new Promise((resolve) => {
    const dialog = $("token-dialog");
    dialog.oncancel = (event) => event.preventDefault();
    $("token-form").onsubmit = async (event) => {
      event.preventDefault();
      const headers = { "Content-Type": "application/json" };
      const body = JSON.stringify({ token: $("token").value.trim() });
      const answer = await fetch("/v1/session", { method: "POST", headers, body }).catch(() => null);
      if (!answer?.ok) {
        $("token-error").textContent = answer ? (await Problem.of(answer)).message : "Resolvent does not answer.";
        $("token").select();
        return;
      }
      dialog.close();
      tokenGiven = null;
      resolve();
    };
    $("token-error").textContent = $("token").value = "";
    dialog.showModal();
  });
  return tokenGiven;
}

/* ----------------------------------------------------------------------------------------------------- the state */

const settings = { ...DEFAULTS, ...remembered() };
const state = {
  about: null, models: {}, methods: {}, photos: [], shown: null, skipped: [], usual: {}, seconds: [], leaving: false,
};

function remembered() {
  try {
    return JSON.parse(localStorage.getItem("resolvent")) ?? {};
  } catch {
    return {};
  }
}

function remember(changes) {
  Object.assign(settings, changes);
  try {
    localStorage.setItem("resolvent", JSON.stringify(settings));
  } catch { /* a private window may have no storage */ }
}

/** One way of restoring one photograph: at most one job of the server. */
class Run {
  constructor(photo, options) {
    Object.assign(this, { photo, options, strength: 1, saved: false });
    this.reset();
  }

  reset() {
    Object.assign(this, { state: "waiting", job: null, problem: null, abort: new AbortController() });
  }

  get result() { return this.job?.result ?? null; }
  get path() { return `/v1/jobs/${this.job.id}`; }
  get shows() { return this.state === "done"; }
  get finished() { return this.state === "done" || this.state === "unchanged"; }
  get blend() { return this.result?.blendable ? this.strength : 1; }
  get key() { return JSON.stringify(this.options); }

  get label() {
    const { model, method, sigma, scale, repair } = this.options;
    const words = [];
    if (model || method) words.push(sigma ? `${model} ${sigma}` : model || method);
    else if (!repair) words.push(this.result?.model ? `Automatic (${this.result.model})` : "Automatic");
    if (scale) words.push(`×${scale}`);
    if (repair) words.push(words.length ? "repaired" : "Repaired");
    return words.join(" ");
  }

  link(download = settings) {
    const query = new URLSearchParams();
    if (this.blend < 1) query.set("strength", this.blend);
    for (const key of ["ext", "quality", "strip"]) if (download[key]) query.set(key, download[key]);
    return `${this.path}/result?${query}`.replace(/\?$/, "");
  }
}

class Photo {
  constructor(file, folder) {
    Object.assign(this, { file, folder, name: file.name, runs: [], left: null, right: null });
    const { heif, tiff, ...drawn } = state.about.formats;
    this.drawable = Object.values(drawn).flat().includes(extension(file.name));
    Object.assign(this, { url: null, thumbed: false, item: makeItem(this) });
  }

  get latest() { return this.runs.at(-1); }
  get state() { return this.latest.state; }
  get best() { return this.right ?? this.runs.findLast((run) => run.finished) ?? null; }
  get source() { return this.runs.find((run) => run.finished) ?? null; }
  get known() { return this.runs.find((run) => run.job?.photograph) ?? null; }
}

const allRuns = () => state.photos.flatMap((photo) => photo.runs);

/* ------------------------------------------------------------------------------------------------------ the work */

function pump() {
  const busy = allRuns().filter((run) => ACTIVE.has(run.state)).length;
  const queue = [...(state.shown?.runs ?? []), ...allRuns()].filter((run) => run.state === "waiting");
  for (const run of new Set(queue.slice(0, 99))) {
    if (allRuns().filter((other) => ACTIVE.has(other.state)).length > state.about.workers) break;
    carryOut(run);
  }
  if (!busy) paintOverall();
}

async function carryOut(run) {
  const started = performance.now();
  const { abort } = run;
  run.state = "sending";
  paint(run.photo);
  try {
    await submit(run, abort.signal);
    await follow(run, abort.signal);
    if (run.job.state === "failed") throw new Problem(unnamed(run.job.error, run.job.name));
    run.state = run.result.status === "unchanged" ? "unchanged" : "done";
    state.seconds = [...state.seconds.slice(-9), (performance.now() - started) / 1000];
    if (run.shows) run.photo.right = run;
  } catch (error) {
    if (abort.signal.aborted) return;
    run.state = "failed";
    run.problem = error instanceof Problem ? error : new Problem({ detail: String(error) });
  }
  tell(run);
  paint(run.photo);
  pump();
}

/** The error of a job without the name of its photograph, which stands beside it. */
const unnamed = (error, name) => (error?.value === name ? { ...error, value: "" } : error ?? {});

async function submit(run, signal) {
  const form = () => {
    const data = new FormData();
    for (const [name, value] of Object.entries(run.options)) data.set(name, value);
    if (hasMap(run.options)) data.set("uncertainty", "learned");
    return data;
  };
  const post = async (data) => (await send("/v1/jobs", { method: "POST", body: data, signal })).json();
  const { source } = run.photo;
  if (source) {
    const data = form();
    data.set("source", source.job.id);
    run.job = await post(data).catch((error) => {
      if (![404, 410].includes(error.status)) throw error;
      return null;
    });
  }
  if (!run.job) {
    const data = form();
    data.set("file", run.photo.file, run.photo.name);
    run.job = await post(data);
  }
  if (signal.aborted) discard(run);
  signal.throwIfAborted();
  run.state = "working";
  paint(run.photo);
}

async function follow(run, signal) {
  let tag = "";
  let misses = 0;
  while (run.job.state === "queued" || run.job.state === "running") {
    await pause(POLL, signal);
    let answer;
    try {
      answer = await send(run.path, { headers: tag ? { "If-None-Match": tag } : {}, signal });
    } catch (error) {
      if (signal.aborted || error.status || ++misses > 5) throw error;
      continue;
    }
    misses = 0;
    if (answer.status === 304) continue;
    tag = answer.headers.get("ETag") ?? "";
    run.job = await answer.json();
    paint(run.photo);
  }
}

function hasMap({ model, method, repair, scale }) {
  if (method || repair || (scale && !model)) return false;
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

function cancelAll() {
  allRuns().forEach(cancel);
  state.photos.forEach(paint);
  say("Canceled.");
}

function retry(runs) {
  for (const run of runs) {
    discard(run);
    run.reset();
  }
  runs.forEach((run) => paint(run.photo));
  pump();
}

/** Restore with these options, unless this photograph has such a result already. */
function restore(photo, options) {
  const same = photo.runs.find((run) => run.key === JSON.stringify(options));
  if (!same) photo.runs.push(new Run(photo, options));
  else if (LOST.has(same.state)) {
    photo.runs.push(photo.runs.splice(photo.runs.indexOf(same), 1)[0]);
    retry([same]);
  } else if (same.shows) photo.right = same;
  paint(photo);
  return !same || LOST.has(same.state) || UNSETTLED.has(same.state);
}

function lost(run) {
  if (!run.finished) return;
  const { minutes } = state.about.limits;
  run.state = "failed";
  run.job = null;
  run.problem = new Problem({ detail: `The server has removed this result: it keeps results for ${count(minutes, "minute")}.`, remedy: "press Retry" });
  for (const side of ["left", "right"]) if (run.photo[side] === run) run.photo[side] = null;
  paint(run.photo);
}

/* ---------------------------------------------------------------------------------------------------- the intake */

function reasonToSkip(file) {
  const { formats, limits } = state.about;
  if (!Object.values(formats).flat().includes(extension(file.name))) return "not a photograph that can be read";
  if (file.size === 0) return "empty";
  if (file.size > limits.megabytes * 1e6) return `${bytes(file.size)}, at most ${limits.megabytes} MB are read`;
  return state.photos.length >= limits.jobs ? `at most ${limits.jobs} photographs at a time` : "";
}

/** Take files, each with the folder it lies in: photographs are restored, the rest is listed as skipped. */
function take(found) {
  const added = [];
  for (const { file, folder } of found) {
    if (file.name.startsWith(".") || /^(thumbs\.db|desktop\.ini)$/i.test(file.name)) continue;
    const reason = reasonToSkip(file);
    if (reason) state.skipped.push(`${folder}${file.name}: ${reason}`);
    else {
      const photo = new Photo(file, folder);
      photo.runs.push(new Run(photo, state.usual));
      state.photos.push(photo);
      added.push(photo);
    }
  }
  $("list").append(...added.map((photo) => photo.item));
  added.forEach(paintItem);
  if (added.length && (!state.shown || state.photos.length === added.length)) select(added[0]);
  if (added.length) say(`${count(added.length, "photograph")} added.`);
  if (found.length && !added.length && !state.photos.length) toast("No photograph that can be read was among them.");
  paintFrame();
  paintSkipped();
  makeThumbs();
  pump();
}

const plain = (files) => [...files].map((file) => ({ file, folder: "" }));

function ofFolder(files) {
  const folder = (file) => (file.webkitRelativePath ?? "").slice(0, -file.name.length);
  return [...files].map((file) => ({ file, folder: folder(file) })).sort((a, b) => byName(a.folder + a.file.name, b.folder + b.file.name));
}

async function walk(entry, folder = "") {
  if (entry.isFile) return [{ file: await new Promise((yes, no) => { entry.file(yes, no); }), folder }];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((yes, no) => { reader.readEntries(yes, no); });
    if (!some.length) break;
    found.push(...some);
  }
  found.sort((a, b) => byName(a.name, b.name));
  const parts = [];
  for (const one of found) parts.push(...await walk(one, `${folder}${entry.name}/`).catch(() => []));
  return parts;
}

async function drop(transfer) {
  const entries = [...transfer.items].filter((one) => one.kind === "file").map((one) => one.webkitGetAsEntry?.());
  const files = plain(transfer.files);
  if (!entries.length || entries.some((entry) => !entry)) return take(files);
  const found = [];
  for (const entry of entries) found.push(...await walk(entry).catch(() => []));
  return take(found);
}

async function takeSample(sample) {
  const blob = await (await send(sample.url)).blob();
  take(plain([new File([blob], sample.name, { type: blob.type })]));
}

/* ------------------------------------------------------------------------------------------------- the thumbnails */

let thumbing = false;

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

/** One picture that zooms: a preview of the whole, and crops of native pixels over it. */
class Sheet {
  constructor(pane) {
    this.node = make("div", { className: "sheet", hidden: true });
    this.crops = make("div", { className: "crops" });
    this.tiles = new Map();
    this.source = null;
    pane.append(this.node);
  }

  /** Draw a source; until it has come, keep what is drawn, or draw the file of the visitor, or nothing. */
  async show(source, keep) {
    if (source?.key === this.source?.key) return;
    this.source = source;
    this.tiles.clear();
    this.crops.replaceChildren();
    if (!source || !keep) this.clear();
    if (source?.local && !this.drawn) this.draw(source, source.local, Infinity).catch(source.undrawable);
    if (!source?.url) return;
    try {
      await this.draw(source, await picture(source.url), 0);
    } catch (problem) {
      if (problem.status) source.gone();
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

  clear() {
    this.drawn = null;
    this.node.replaceChildren();
  }

  place(x, y, width, opacity) {
    this.node.hidden = !this.drawn || opacity === 0;
    if (this.node.hidden) return;
    const scale = width / this.drawn.width;
    const { style } = this.node;
    style.width = `${this.drawn.width}px`;
    style.height = `${this.drawn.height}px`;
    style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
    style.opacity = opacity;
    this.node.classList.toggle("pixels", scale * devicePixelRatio > 2.001);
    Object.assign(this, { x, y, scale });
  }

  /** Fetch native pixels for what is visible, if the preview has fewer than the screen shows. */
  refine(pane) {
    const { drawn, scale, seen } = this;
    if (this.node.hidden || drawn !== this.source || !drawn?.url) return;
    const density = scale * devicePixelRatio;
    const needed = seen < drawn.width && density * drawn.width > 1.02 * seen;
    const side = density < 0.7 ? 2 * CROP.side : CROP.side;
    const first = (offset) => Math.max(0, Math.floor(-offset / scale / side));
    const last = (offset, visible, all) => Math.ceil(Math.min(all, (visible - offset) / scale) / side) - 1;
    const [left, right] = [first(this.x), last(this.x, pane.width, drawn.width)];
    const [top, bottom] = [first(this.y), last(this.y, pane.height, drawn.height)];
    const many = (right - left + 1) * (bottom - top + 1);
    this.crops.hidden = !needed || many > CROP.most;
    if (this.crops.hidden) return;
    if (this.tiles.size > CROP.kept) {
      this.tiles.clear();
      this.crops.replaceChildren();
    }
    for (let row = top; row <= bottom; row++) for (let column = left; column <= right; column++) this.tile(column, row, side);
  }

  tile(column, row, side) {
    const key = `${side}:${column},${row}`;
    const { width, height, crop } = this.drawn;
    const [x, y] = [column * side, row * side];
    const [w, h] = [Math.min(side, width - x), Math.min(side, height - y)];
    if (this.tiles.has(key)) return;
    const tile = make("img", { alt: "", draggable: false });
    this.tiles.set(key, tile);
    Object.assign(tile.style, { left: `${x}px`, top: `${y}px`, width: `${w}px`, height: `${h}px` });
    const put = async () => {
      tile.src = await picture(crop(x, y, w, h));
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
    this.view = { fit: true, scale: 1, x: 0.5, y: 0.5 };
    this.update = perFrame(() => this.draw());
    this.refine = debounce(() => {
      for (const pane of this.panes) {
        pane.over.refine(pane);
        if (pane.opacity < 1) pane.under.refine(pane);
      }
    }, 140);
    new ResizeObserver(() => this.update()).observe(this.stage);
  }

  /** Show a side: the picture, over another one where the picture is transparent or not there yet. */
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
    const drawn = this.panes.filter((pane) => this.two || pane.name === "right").flatMap((pane) => [pane.under.drawn, pane.over.drawn]);
    return drawn.filter(Boolean).reduce((best, one) => (best && best.width >= one.width ? best : one), null);
  }

  layOut() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    const half = settings.split && this.two;
    const row = width >= height;
    for (const [index, pane] of this.panes.entries()) {
      pane.width = half && row ? width / 2 - 1 : width;
      pane.height = half && !row ? height / 2 - 1 : height;
      pane.left = half && row ? index * (width / 2 + 1) : 0;
      pane.top = half && !row ? index * (height / 2 + 1) : 0;
      for (const side of ["left", "top", "width", "height"]) pane.node.style[side] = `${pane[side]}px`;
    }
    this.half = half;
    this.stage.classList.toggle("half", Boolean(half));
    this.stage.classList.toggle("column", Boolean(half && !row));
  }

  draw() {
    this.layOut();
    const { reference, view, stage } = this;
    const pane = this.panes[1];
    stage.classList.toggle("blank", !reference);
    this.panes[0].node.hidden = !this.two;
    if (!reference || !pane.width) return;
    const ratio = devicePixelRatio;
    const margin = Math.min(24, pane.width / 40);
    const room = Math.min((pane.width - 2 * margin) / reference.width, (pane.height - 2 * margin) / reference.height);
    this.fit = Math.min(room, 2) * ratio;
    this.most = Math.max(16, this.fit);
    const now = { scale: view.fit ? this.fit : clamp(view.scale, Math.min(this.fit, 1), this.most) };
    const size = { x: (reference.width * now.scale) / ratio, y: (reference.height * now.scale) / ratio };
    const hold = (center, all, visible) => (all <= visible ? 0.5 : clamp(center, visible / all / 2, 1 - visible / all / 2));
    now.x = hold(view.x, size.x, pane.width);
    now.y = hold(view.y, size.y, pane.height);
    this.now = now;
    const snap = (value) => Math.round(value * ratio) / ratio;
    const x = snap(pane.width / 2 - now.x * size.x);
    const y = snap(pane.height / 2 - now.y * size.y);
    for (const one of this.panes) {
      const solid = one.opacity === 1 && one.over.drawn;
      one.under.place(x, y, size.x, solid ? 0 : 1);
      one.over.place(x, y, size.x, one.opacity);
    }
    stage.classList.toggle("loading", pane.over.source !== pane.over.drawn);
    this.area = { x, y, width: size.x, height: size.y };
    this.drawDivider(pane);
    this.drawZoom();
    this.refine();
  }

  drawDivider(pane) {
    const { x, y, width, height } = this.area;
    const [left, top] = [Math.max(x, 0), Math.max(y, 0)];
    const [right, bottom] = [Math.min(x + width, pane.width), Math.min(y + height, pane.height)];
    this.seen = { left, top, width: right - left, height: bottom - top };
    const share = this.held ? 1 : settings.divider;
    this.at = left + share * (right - left);
    const divided = this.two && !this.half;
    for (const [name, value] of Object.entries({ ...this.seen, at: this.at })) this.stage.style.setProperty(`--${name}`, `${value}px`);
    this.stage.classList.toggle("divided", Boolean(divided));
    $("divider").hidden = $("handle").hidden = !divided;
    $("corner-left").hidden = !this.two;
    $("corner-right").hidden = Boolean(this.held && divided);
    $("divider").value = Math.round(100 * settings.divider);
    $("divider").setAttribute("aria-valuetext", `${Math.round(100 * settings.divider)} % of the width shows the left picture`);
  }

  drawZoom() {
    const { scale } = this.now;
    this.fits = Math.abs(scale / this.fit - 1) < 0.001;
    write($("zoom"), `${Math.round(100 * scale)} %`);
    $("zoom-fit").setAttribute("aria-pressed", String(this.fits));
    $("zoom-full").setAttribute("aria-pressed", String(scale === 1));
    this.stage.classList.toggle("zoomed", scale > this.fit * 1.001);
  }

  /** Zoom so that the point of the picture under (x, y) of a pane stays there; 0 shows all of it. */
  zoomTo(scale, x = this.panes[1].width / 2, y = this.panes[1].height / 2) {
    if (!this.area) return;
    const { area, now } = this;
    const pane = this.panes[1];
    const wanted = Math.abs(scale - 1) < 0.015 ? 1 : scale;
    const next = scale ? clamp(wanted, Math.min(this.fit, 1), this.most) : this.fit;
    const center = (at, offset, all, visible) => (at - offset) / all + ((visible / 2 - at) * now.scale) / (all * next);
    this.view = {
      fit: Math.abs(next / this.fit - 1) < 0.001, scale: next,
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

  toggle(x, y) { this.zoomTo(this.fits ? Math.max(1, this.fit >= 1 ? 2 * this.fit : 1) : 0, x, y); }

  pan(x, y) {
    this.view.x = this.now.x - x / this.area.width;
    this.view.y = this.now.y - y / this.area.height;
    this.draw();
  }

  divide(x) {
    remember({ divider: clamp((x - this.seen.left) / this.seen.width, 0, 1) });
    this.update();
  }

  onHandle({ x, y, touch }) {
    const { left, top, width, height } = this.seen ?? {};
    const inside = x >= left - 24 && x <= left + width + 24 && y >= top && y <= top + height;
    return !$("divider").hidden && inside && Math.abs(x - this.at) <= (touch ? 26 : 14);
  }

  /** The point of an event in its pane. */
  point(event) {
    const box = this.stage.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const pane = (this.half && this.panes.findLast((one) => x >= one.left && y >= one.top)) || this.panes[1];
    return { x: x - pane.left, y: y - pane.top, touch: event.pointerType === "touch", time: event.timeStamp };
  }

  listen() {
    const { stage } = this;
    const pointers = new Map();
    let mode = "";
    let start = null;
    let tap = null;
    const spread = () => {
      const [a, b] = [...pointers.values()];
      return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, length: Math.hypot(a.x - b.x, a.y - b.y) };
    };
    stage.addEventListener("pointerdown", (event) => {
      if (event.button || event.target.closest(".card") || !this.area) return;
      const point = this.point(event);
      stage.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, point);
      start = { ...point, moved: pointers.size > 1 };
      if (pointers.size === 2) mode = "pinch";
      else if (this.onHandle(point)) mode = "divide";
      else mode = stage.classList.contains("zoomed") || $("divider").hidden ? "pan" : "maybe";
      stage.classList.toggle("dragging", mode === "pan");
    });
    stage.addEventListener("pointermove", (event) => {
      const point = this.point(event);
      const last = pointers.get(event.pointerId);
      if (!last) {
        stage.classList.toggle("near", this.onHandle(point));
        return;
      }
      const before = mode === "pinch" ? spread() : null;
      pointers.set(event.pointerId, point);
      if (Math.hypot(point.x - start.x, point.y - start.y) > 4) start.moved = true;
      if (mode === "pinch" && pointers.size === 2) {
        const now = spread();
        this.pan(now.x - before.x, now.y - before.y);
        this.zoomBy(now.length / Math.max(1, before.length), now.x, now.y);
      } else if (mode === "pan") this.pan(point.x - last.x, point.y - last.y);
      else if (mode === "divide" || (mode === "maybe" && start.moved)) {
        mode = "divide";
        this.divide(point.x);
      }
    });
    const end = (event) => {
      if (!pointers.delete(event.pointerId)) return;
      const point = this.point(event);
      const twice = tap && event.timeStamp - tap.time < 350 && Math.hypot(point.x - tap.x, point.y - tap.y) < 30;
      if (event.type === "pointerup" && !start.moved) {
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
    $("divider").addEventListener("input", (event) => {
      remember({ divider: event.target.value / 100 });
      this.update();
    });
    $("zoom-in").onclick = () => this.step(1);
    $("zoom-out").onclick = () => this.step(-1);
    $("zoom-fit").onclick = () => this.zoomTo(0);
    $("zoom-full").onclick = () => this.zoomTo(1);
    $("split").onclick = () => this.toggleSplit();
  }

  toggleSplit() {
    remember({ split: !settings.split });
    $("split").setAttribute("aria-pressed", String(settings.split));
    this.update();
  }

  hold(held) {
    this.held = held;
    this.update();
  }
}

const viewer = new Viewer();

/* --------------------------------------------------------------------------------------------- what a side shows */

const previewSize = () => clamp(1024 * Math.ceil((Math.max(innerWidth, innerHeight) * devicePixelRatio) / 1024), 2048, 4096);

function remote(run, part, { width, height }, alt) {
  const path = `${run.path}/${part}`;
  const crop = (...box) => `${path}?crop=${box.join(",")}`;
  return { key: path, url: `${path}?size=${previewSize()}`, crop, alt, width, height, gone: () => lost(run) };
}

function originalOf(photo) {
  const alt = `${photo.name}, original`;
  const run = photo.source ?? (photo.drawable ? null : photo.known);
  if (photo.drawable) photo.url ??= URL.createObjectURL(photo.file);
  const undrawable = () => {
    photo.drawable = false;
    paint(photo);
  };
  if (run) return { ...remote(run, "before", run.job.photograph, alt), local: photo.drawable ? photo.url : null, undrawable };
  return photo.drawable ? { key: photo.url, local: photo.url, alt, undrawable } : null;
}

function sideOf(photo, run, layer) {
  const original = originalOf(photo);
  if (!run) return { over: original, under: null, opacity: 1 };
  const part = layer ? `layers/${layer}` : "after";
  const alt = `${photo.name}, ${layer ? state.about.layers[layer].label : run.label}`;
  return { over: remote(run, part, run.result, alt), under: original, opacity: layer ? 1 : run.blend };
}

/** The layer that is wanted, if the result on the right has it. */
const layerOf = (run) => (run?.result.layers.includes(settings.layer) ? settings.layer : null);

/* -------------------------------------------------------------------------------------------------- the filmstrip */

function makeItem(photo) {
  const node = make("div", { className: "item", tabIndex: -1, title: photo.folder + photo.name });
  node.setAttribute("role", "option");
  node.append(make("span", { className: "thumb" }), make("span", { className: "meter" }), make("span", { className: "badge" }));
  node.append(make("span", { className: "item-name", textContent: photo.name }));
  node.addEventListener("click", () => select(photo, true));
  return node;
}

function paintItem(photo) {
  const { item, state: now, latest } = photo;
  const shown = photo === state.shown;
  item.setAttribute("aria-selected", String(shown));
  item.setAttribute("aria-label", `${photo.name}, ${STATES[now]}`);
  item.tabIndex = shown ? 0 : -1;
  item.style.setProperty("--progress", ACTIVE.has(now) ? Math.max(0.04, latest.job?.progress ?? 0) : 0);
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
  paintFrame();
}

function move(by, focus) {
  const next = state.photos[clamp(state.photos.indexOf(state.shown) + by, 0, state.photos.length - 1)];
  if (next && next !== state.shown) select(next, focus);
}

function remove(photo) {
  const focus = document.activeElement === photo.item;
  const at = state.photos.indexOf(photo);
  photo.runs.forEach(cancel);
  photo.runs.forEach(discard);
  photo.item.remove();
  if (photo.url) URL.revokeObjectURL(photo.url);
  state.photos.splice(at, 1);
  if (photo === state.shown) select(state.photos[Math.min(at, state.photos.length - 1)] ?? null, focus);
  say(`${photo.name} removed.`);
  paintFrame();
  pump();
}

async function startOver() {
  const made = count(state.photos.length, "photograph");
  $("ask-text").textContent = `${made} and the results are removed from this page and from the server. The files on your disk stay as they are.`;
  const dialog = $("ask-dialog");
  dialog.returnValue = "no";
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  if (dialog.returnValue !== "yes") return;
  Object.assign(state, { skipped: [], usual: {} });
  for (const photo of [...state.photos].reverse()) remove(photo);
  $("choose-files").focus();
}

/* ------------------------------------------------------------------------------------------------------- painting */

const paintFrame = perFrame(paintAll);

function paint(photo) {
  if (!state.photos.includes(photo)) return;
  paintItem(photo);
  if (!photo.thumbed) makeThumbs();
  paintFrame();
}

function paintAll() {
  const photo = state.shown;
  for (const id of ["work", "panel", "filmstrip", "actions"]) $(id).hidden = !photo;
  $("empty").hidden = Boolean(photo);
  document.body.classList.toggle("busy", Boolean(photo));
  paintOverall();
  if (!photo) return;
  paintStage(photo);
  paintCard(photo);
  paintPanel(photo);
}

let painted = null;

function paintStage(photo) {
  const { left, right } = photo;
  const layer = layerOf(right);
  const keep = painted === photo;
  painted = photo;
  viewer.show(0, sideOf(photo, left, null), keep);
  viewer.show(1, sideOf(photo, right, layer), keep);
  viewer.compare(left !== right || Boolean(layer));
  const name = (run, original) => (run ? (photo.runs.filter((one) => one.shows).length > 1 ? run.label : "After") : original);
  write($("corner-left"), name(left, "Before"));
  write($("corner-right"), layer ? capital(state.about.layers[layer].label) : name(right, left ? "Before" : right === left ? "Original" : "Before"));
  fillSide("left", photo);
  fillSide("right", photo);
  document.querySelector(".tools").classList.toggle("simple", $("right").options.length < 3);
}

function fillSide(side, photo) {
  const node = $(side);
  const runs = [null, ...photo.runs.filter((run) => run.shows)];
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

function workingWords({ state: now, job, photo }) {
  if (now === "waiting" || job?.state === "queued") {
    const ahead = allRuns().filter((run) => UNSETTLED.has(run.state)).findIndex((run) => run.photo === photo);
    return ahead > 0 ? `Waiting: ${count(ahead, "photograph")} before it` : "Waiting";
  }
  if (now === "sending" || !job.plan) return "Looking at the photograph";
  const { model, method, expected_seconds: expected } = job.plan;
  const rest = job.eta ?? (job.progress > 0 ? null : expected);
  const how = model || method ? `Restoring with the ${method ? "method" : "model"} ${method ?? model}` : "Restoring";
  return how + (rest === null ? "" : `, about ${duration(rest)}`);
}

function paintCard(photo) {
  const run = photo.latest;
  const { state: now, job, problem } = run;
  const unsettled = UNSETTLED.has(now);
  $("card").hidden = now === "done" || (now === "unchanged" && photo.right !== null);
  $("card").dataset.state = now;
  $("card-bar").hidden = $("card-cancel").hidden = !unsettled;
  $("card-retry").hidden = !LOST.has(now);
  $("card-anyway").hidden = now !== "unchanged";
  $("card-dismiss").hidden = !LOST.has(now) || photo.runs.length < 2;
  if (unsettled) {
    write($("card-title"), workingWords(run));
    write($("card-text"), job?.diagnosis ? `Found: ${job.diagnosis.words}` : photo.name);
    if (now === "working" && job.progress > 0) $("card-bar").value = job.progress;
    else $("card-bar").removeAttribute("value");
  } else if (now === "unchanged") {
    write($("card-title"), `Nothing to fix: ${job.diagnosis?.words ?? "left as it is"}`);
    write($("card-text"), (run.result.reasons ?? []).map(sentence).join(" "));
  } else if (now === "failed") {
    write($("card-title"), "Not restored");
    write($("card-text"), problem.message);
  } else if (now === "canceled") {
    write($("card-title"), "Canceled");
    write($("card-text"), photo.name);
  }
}

function paintPanel(photo) {
  const run = photo.best ?? photo.latest;
  const { job, result } = run;
  const known = photo.known?.job.photograph;
  const size = ({ width, height }) => `${width} × ${height}`;
  write($("name"), photo.name);
  $("name").title = photo.folder + photo.name;
  const facts = known ? [size(known), known.format.toUpperCase(), `${known.depth} bit`] : [];
  write($("meta"), [...facts, bytes(photo.file.size)].join(" · "));
  write($("found-words"), job?.diagnosis ? [job.diagnosis.words, job.diagnosis.advice].map(sentence).join(" ") : "–");
  write($("done-words"), result ? doneWords(run) : "–");
  list($("reasons"), ((result ?? job?.plan)?.reasons ?? []).filter((reason) => reason !== result?.uncertainty?.sentence));
  list($("warnings"), result?.warnings ?? []);
  const rows = result ? [["Result", `${size(result)} · ${result.format.toUpperCase()} · ${bytes(result.bytes)}`], ["Time", duration(result.seconds)]] : [];
  $("facts").replaceChildren(...rows.map(([name, value]) => make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: value }))));
  $("download").disabled = $("copy").disabled = !photo.best;
  $("download-all").disabled = !state.photos.some((one) => one.best);
  paintLayers(photo.right);
  paintStrength(photo.right);
}

function doneWords(run) {
  const { status, model, sigma } = run.result;
  if (status === "unchanged") return "Left as it is.";
  const how = run.options.method ?? model;
  const parts = [how ? `Restored with the ${run.options.method ? "method" : "model"} ${how}` : "Restored", sigma ? `noise level ${Math.round(10 * sigma) / 10}` : ""];
  if (run.options.scale) parts.push(`${run.options.scale} times as large`);
  return sentence(parts.filter(Boolean).join(", "));
}

function paintLayers(run) {
  const shown = layerOf(run);
  for (const radio of $("layers").querySelectorAll("input")) {
    radio.disabled = !run || (radio.value !== "result" && !run.result.layers.includes(radio.value));
    radio.checked = radio.value === (shown ?? "result");
  }
  $("legend").hidden = !shown;
  if (!shown) return;
  const { color, legend, ticks } = state.about.layers[shown];
  $("legend").style.setProperty("--layer", color);
  $("ticks").replaceChildren(...ticks.map((tick) => make("span", { textContent: tick })));
  write($("legend-text"), sentence(legend));
  write($("legend-sentence"), shown === "uncertainty" ? run.result.uncertainty?.sentence ?? "" : "");
}

function paintStrength(run) {
  const fixed = !run?.result.blendable;
  const { photograph } = run?.job ?? {};
  const resized = run && photograph && run.result.width !== photograph.width;
  const reason = resized ? "A result of another size cannot be mixed with the original." : "This result cannot be mixed with the original.";
  $("strength").disabled = fixed;
  $("strength").value = Math.round(100 * (run?.blend ?? 1));
  write($("strength-text"), `${$("strength").value} %`);
  $("strength-hint").hidden = !run || !fixed;
  write($("strength-hint"), run && fixed ? reason : "");
}

function leftOver() {
  const runs = allRuns();
  const waiting = runs.filter((run) => run.state === "waiting" || run.job?.state === "queued").length;
  const running = runs.filter((run) => run.job?.state === "running");
  const known = state.seconds.length ? state.seconds : running.map((run) => run.job.plan?.expected_seconds).filter(Boolean);
  const mean = known.reduce((sum, one) => sum + one, 0) / known.length;
  if (!known.length) return null;
  return (waiting * (mean + 0.5)) / state.about.workers + Math.max(0, ...running.map((run) => run.job.eta ?? mean / 2));
}

function paintOverall() {
  const { photos } = state;
  const of = (...names) => photos.filter((photo) => names.includes(photo.state)).length;
  const settled = photos.length - of(...UNSETTLED);
  const working = settled < photos.length;
  const left = working ? leftOver() : null;
  const counts = [[of("done"), "restored"], [of("unchanged"), "unchanged"], [of("failed"), "failed"], [of("canceled"), "canceled"]];
  const summary = counts.filter(([number]) => number).map(([number, word]) => `${number} ${word}`).join(" · ");
  const text = working ? `${settled} of ${photos.length}${left === null ? "" : ` · about ${duration(left)} left`}` : summary;
  $("overall").hidden = photos.length < 2;
  $("overall-bar").hidden = $("cancel-all").hidden = !working;
  $("overall-bar").value = settled / (photos.length || 1);
  $("retry-all").hidden = working || !of("failed", "canceled");
  write($("overall-text"), text);
  document.title = working ? `${settled} of ${photos.length} – Resolvent` : "Resolvent";
}

function paintSkipped() {
  $("skipped").hidden = !state.skipped.length;
  write($("skipped-text"), `${count(state.skipped.length, "file")} skipped`);
  $("skipped-list").replaceChildren(...state.skipped.slice(0, 200).map((line) => make("li", { textContent: line })));
}

const say = (text) => write($("live"), text);

let toasting = 0;

function toast(text) {
  write($("toast"), text);
  $("toast").classList.add("shown");
  clearTimeout(toasting);
  toasting = setTimeout(() => {
    $("toast").classList.remove("shown");
    write($("toast"), "");
  }, 6000);
}

/** Tell what became of a run to those who do not see it. */
function tell(run) {
  const settled = state.photos.filter((photo) => !UNSETTLED.has(photo.state)).length;
  const all = settled === state.photos.length;
  const why = run.state === "failed" ? `: ${run.problem.message}` : "";
  if (run.photo === state.shown || why) say(`${run.photo.name}: ${STATES[run.state]}${why}`);
  else if (all || settled % 10 === 0) say(`${settled} of ${state.photos.length} photographs are ready.`);
}

/* -------------------------------------------------------------------------------------------------------- saving */

function download(photo) {
  if (!photo?.best) return;
  make("a", { href: photo.best.link(), download: "" }).click();
  photo.best.saved = true;
}

/** Ask for the archive once to see that it comes, then let the browser save it. */
async function downloadAll() {
  const ready = state.photos.filter((photo) => photo.best);
  const download = Object.fromEntries(["ext", "quality", "strip"].map((key) => [key, settings[key] || null]));
  if (download.quality) download.quality = Number(download.quality);
  const items = JSON.stringify(ready.map(({ best, folder }) => ({ job: best.job.id, strength: best.blend, ...download, folder })));
  const attempt = new AbortController();
  try {
    await send("/v1/archive", { method: "POST", body: new URLSearchParams({ items }), signal: attempt.signal });
  } catch (problem) {
    toast(problem.message);
    return;
  }
  attempt.abort();
  const form = make("form", { method: "post", action: "/v1/archive", hidden: true }, make("input", { name: "items", value: items }));
  document.body.append(form);
  state.leaving = true;
  form.submit();
  form.remove();
  setTimeout(() => { state.leaving = false; }, 2000);
  for (const { best } of ready) best.saved = true;
}

async function copy(photo) {
  const picture = send(photo.best.link({ ext: "png", strip: settings.strip })).then((answer) => answer.blob());
  try {
    await navigator.clipboard.write([new ClipboardItem({ "image/png": picture })]);
    toast("The result is copied.");
  } catch (problem) {
    toast(problem instanceof Problem ? problem.message : "The browser did not allow to copy.");
  }
}

/* ------------------------------------------------------------------------------------------------------ the form */

const toolOf = (value) => {
  const [kind, name] = value.split(":");
  return { model: kind === "model" ? name : "", method: kind === "method" ? name : "" };
};

/** The options of a job, as the form says. */
function chosen() {
  const { model, method } = toolOf(settings.tool);
  const own = state.models[model]?.scale ?? 1;
  const options = {};
  if (model) options.model = model;
  if (state.models[model]?.noise_level && settings.sigma !== "") options.sigma = settings.sigma;
  if (method) Object.assign(options, { method, degradation: settings.degradation || state.methods[method].example });
  if (settings.scale !== "1" && own === 1) options.scale = settings.scale;
  if (settings.repair) options.repair = "true";
  return options;
}

function fillForm() {
  const group = (label, kind, names) => {
    const options = names.map((name) => make("option", { value: `${kind}:${name}`, textContent: name }));
    return make("optgroup", { label }, ...options);
  };
  const models = Object.keys(state.models).filter((name) => !state.models[name].finds && !state.models[name].fills);
  const methods = Object.keys(state.methods).filter((name) => state.methods[name].missing === null);
  $("tool").replaceChildren(make("option", { value: "", textContent: "Automatic" }), group("Models", "model", models), group("Methods", "method", methods));
  const { formats, written, layers } = state.about;
  $("ext").append(...written.map((name) => make("option", { value: formats[name][0].slice(1), textContent: name.toUpperCase() })));
  $("files").accept = ["image/*", ...Object.values(formats).flat()].join(",");
  const radio = (value, label, color) => {
    const input = make("input", { type: "radio", name: "layer", value });
    input.onchange = () => {
      remember({ layer: value });
      paintFrame();
    };
    const mark = make("i", { className: "dot" });
    if (color) mark.style.setProperty("--layer", color);
    return make("label", { className: "choice" }, input, make("span", { textContent: label }), ...(color ? [mark] : []));
  };
  const others = Object.entries(layers).map(([name, { label, color }]) => radio(name, capital(label), color));
  $("layers").replaceChildren(radio("result", "Result"), ...others);
  const { model, method } = toolOf(settings.tool);
  if ((model && !models.includes(model)) || (method && !methods.includes(method))) remember({ tool: "" });
  for (const key of ["tool", "sigma", "degradation", "scale", "ext", "quality", "strip"]) $(key).value = settings[key];
  $("repair").checked = settings.repair;
  $("split").setAttribute("aria-pressed", String(settings.split));
  paintForm();
}

function paintForm() {
  const { model, method } = toolOf(settings.tool);
  const card = state.models[model] ?? state.methods[method];
  const cost = method && card.cost !== "seconds" ? `; takes ${card.cost}` : "";
  write($("tool-hint"), sentence(card ? card.summary + cost : "measures the photograph and chooses"));
  $("sigma-field").hidden = !card?.noise_level;
  if (card?.sigma_range) [$("sigma").min, $("sigma").max] = card.sigma_range;
  $("degradation-field").hidden = !method;
  $("scale").disabled = (state.models[model]?.scale ?? 1) > 1;
  $("repair-hint").hidden = !settings.repair;
  $("quality-field").hidden = ["png", "tif", "tiff", "bmp"].includes(settings.ext);
  const usual = new Run(null, state.usual);
  $("new-hint").hidden = !Object.keys(state.usual).length;
  write($("new-text"), `New photographs: ${usual.label}.`);
}

function listenToForm() {
  $("form").addEventListener("input", ({ target }) => {
    if (!target.checkValidity()) return;
    remember({ [target.id]: target.type === "checkbox" ? target.checked : target.value });
    if (target.id === "tool") {
      const { method } = toolOf(settings.tool);
      if (method) remember({ degradation: state.methods[method].example });
      $("degradation").value = settings.degradation;
    }
    paintForm();
  });
  $("form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!restore(state.shown, chosen())) toast("This result exists already: it is shown on the right.");
    pump();
  });
  $("for-all").onclick = () => {
    if (!$("form").reportValidity()) return;
    state.usual = chosen();
    state.photos.forEach((photo) => restore(photo, state.usual));
    paintForm();
    pump();
  };
  $("back").onclick = () => {
    state.usual = {};
    paintForm();
    $("for-all").focus();
  };
}

/* -------------------------------------------------------------------------------------------------------- events */

function listenToCard() {
  $("card-cancel").onclick = () => {
    cancel(state.shown.latest);
    paint(state.shown);
    pump();
  };
  $("card-retry").onclick = () => retry([state.shown.latest]);
  $("card-anyway").onclick = () => {
    const options = chosen();
    restore(state.shown, options.model || options.method ? options : { model: state.models.restore ? "restore" : Object.keys(state.models)[0] });
    pump();
  };
  $("card-dismiss").onclick = () => {
    discard(state.shown.runs.pop());
    paint(state.shown);
  };
}

function listenToButtons() {
  const pick = { files: plain, folder: ofFolder };
  for (const [id, order] of Object.entries(pick)) $(id).onchange = ({ target }) => {
    take(order(target.files));
    target.value = "";
  };
  $("choose-files").onclick = $("add").onclick = () => $("files").click();
  $("choose-folder").onclick = () => $("folder").click();
  $("download").onclick = () => download(state.shown);
  $("download-all").onclick = downloadAll;
  $("cancel-all").onclick = cancelAll;
  $("retry-all").onclick = () => retry(allRuns().filter((run) => LOST.has(run.state)));
  $("restart").onclick = startOver;
  $("help").onclick = () => $("help-dialog").showModal();
  $("remove").onclick = () => remove(state.shown);
  $("copy").onclick = () => copy(state.shown);
  $("copy").hidden = !globalThis.ClipboardItem || !navigator.clipboard;
  $("skipped-close").onclick = () => {
    state.skipped = [];
    paintSkipped();
  };
  $("strength").oninput = ({ target }) => {
    Object.assign(state.shown.right, { strength: target.value / 100, saved: false });
    paintFrame();
  };
}

function listenToDrops() {
  let depth = 0;
  const files = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const veil = (change) => {
    depth = Math.max(0, depth + change);
    $("veil").hidden = depth === 0;
  };
  addEventListener("dragenter", (event) => files(event) && veil(1));
  addEventListener("dragleave", (event) => files(event) && veil(-1));
  addEventListener("dragover", (event) => files(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    veil(-depth);
    if (!files(event)) return;
    event.preventDefault();
    drop(event.dataTransfer);
  });
  addEventListener("paste", (event) => event.clipboardData?.files.length && take(plain(event.clipboardData.files)));
}

const KEYS = {
  "+": () => viewer.step(1), "=": () => viewer.step(1), "-": () => viewer.step(-1),
  0: () => viewer.zoomTo(0), 1: () => viewer.zoomTo(1), s: () => viewer.toggleSplit(), b: () => viewer.hold(true),
  "?": () => $("help-dialog").showModal(),
  ArrowLeft: (focus) => move(-1, focus), ArrowRight: (focus) => move(1, focus),
  Home: (focus) => move(-Infinity, focus), End: (focus) => move(Infinity, focus),
  Delete: () => remove(state.shown),
};

function listenToKeys() {
  addEventListener("keydown", (event) => {
    const { target, key } = event;
    const inList = $("list").contains(target);
    const letter = key.length === 1;
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (target.matches("select, input:not([type=range], [type=radio], [type=checkbox])")) return;
    if (!letter && !inList && target !== document.body) return;
    const action = KEYS[letter ? key.toLowerCase() : key];
    if (!action || (!state.shown && key !== "?")) return;
    event.preventDefault();
    action(inList);
  });
  addEventListener("keyup", ({ key }) => key.toLowerCase() === "b" && viewer.hold(false));
  addEventListener("beforeunload", (event) => {
    const open = allRuns().some((run) => UNSETTLED.has(run.state) || (run.shows && !run.saved));
    if (open && !state.leaving) event.preventDefault();
  });
  addEventListener("pagehide", ({ persisted }) => {
    if (!persisted) allRuns().filter((run) => UNSETTLED.has(run.state)).forEach(discard);
  });
}

/** Ask for all results now and then: the server removes what nobody asks for. */
function keep() {
  const every = 15_000 * state.about.limits.minutes;
  setInterval(() => {
    for (const run of allRuns()) if (run.finished) send(run.path).catch((problem) => problem.status === 404 && lost(run));
  }, every);
}

async function start() {
  listenToButtons();
  listenToCard();
  listenToDrops();
  listenToForm();
  listenToKeys();
  viewer.listen();
  try {
    state.about = await ask("/v1/about");
    [state.models, state.methods] = await Promise.all([ask("/v1/models"), ask("/v1/methods")]);
  } catch (problem) {
    toast(problem.message);
    return;
  }
  fillForm();
  keep();
  const { samples } = state.about;
  $("samples").hidden = !samples.length;
  for (const sample of samples) {
    const button = make("button", { type: "button", className: "sample" }, make("img", { src: sample.url, alt: "" }), make("span", { textContent: sample.title }));
    button.onclick = () => takeSample(sample).catch((problem) => toast(problem.message));
    $("sample-list").append(make("li", {}, button));
  }
  document.body.classList.add("ready");
}

start();
