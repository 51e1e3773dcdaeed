/* What the page knows: settings, photographs, and the runs of each. */

import { DEFAULTS, extension, FINAL, LOST, SAVING } from "./basics.js";
import { makeItem } from "./filmstrip.js";
import { inventedWords } from "./painting.js";

export const state = {
  about: null, models: {}, methods: {}, photos: [], shown: null, skipped: [], usual: {}, seconds: [], leaving: false,
};
export const settings = { ...DEFAULTS };
try {
  Object.assign(settings, JSON.parse(localStorage.getItem("resolvent")));
} catch { /* a private window may have no storage */ }
settings.realism = DEFAULTS.realism; // detail is never invented because it was once

export function remember(changes) {
  Object.assign(settings, changes);
  try {
    localStorage.setItem("resolvent", JSON.stringify(settings));
  } catch { /* as above */ }
}

/** One way of restoring one photograph: at most one job of the server. */
export class Run {
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

export class Photo {
  constructor(file, folder) {
    const { heif, tiff, ...drawn } = state.about.formats;
    const drawable = Object.values(drawn).flat().includes(extension(file.name));
    const twins = state.photos.filter(({ name }) => name === file.name).length;
    const label = twins ? `${file.name} (${twins + 1})` : file.name;
    Object.assign(this, { file, folder, name: file.name, label, drawable, thumbed: false, url: null });
    Object.assign(this, { runs: [], left: null, right: null, item: makeItem(this) });
  }

  get latest() { return this.runs.at(-1); }
  get state() { return this.latest.state; }
  get results() { return this.runs.filter((run) => run.done); }
  get best() { return this.right ?? this.runs.findLast((run) => run.finished) ?? null; }
  get source() { return this.runs.find((run) => run.finished) ?? null; }
  get known() { return this.runs.find((run) => run.job?.photograph) ?? null; }
}

export const allRuns = () => state.photos.flatMap((photo) => photo.runs);
