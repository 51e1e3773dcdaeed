/* What the page is built of: its constants, and helpers that know nothing of photographs. */

export const POLL = 400; // milliseconds between two looks at a job
export const GLANCE = 100; // a photograph that is passed more quickly is not fetched
export const PICTURES = 64; // pictures that are kept
export const OWN = 1e8; // pixels of a file that the browser may draw as a whole
export const ABANDON = 120; // seconds without a request after which the server stops a job
export const CROP = { side: 1024, most: 16, kept: 40 };
export const ZOOMS = [1 / 16, 1 / 8, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 1, 1.5, 2, 3, 4, 6, 8, 12, 16];
export const ACTIVE = new Set(["sending", "working"]);
export const UNSETTLED = new Set(["waiting", ...ACTIVE]);
export const LOST = new Set(["failed", "canceled"]);
export const FINAL = new Set([413, 415, 422]); // of what fails again however often it is tried
export const ICONS = { waiting: "i-wait", done: "i-check", unchanged: "i-equal", failed: "i-alert", canceled: "i-close" };
export const STATES = {
  waiting: "waiting", sending: "being sent", working: "being restored", done: "restored", unchanged: "nothing to fix",
  failed: "not restored", canceled: "canceled",
};
export const SAVING = ["ext", "quality", "strip"];
export const DEFAULTS = {
  tool: "", sigma: "", scale: "1", realism: "0", repair: false, degradation: "", ext: "", quality: "", strip: "", layer: "result",
  divider: 0.5, split: false, details: false,
};

export const $ = (id) => document.getElementById(id);
export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
export const count = (number, one) => `${number} ${one}${number === 1 ? "" : "s"}`;
export const extension = (name) => (/\.[^./\\]+$/.exec(name)?.[0] ?? "").toLowerCase();
export const byName = (a, b) => a.localeCompare(b, undefined, { numeric: true });
export const make = (tag, properties = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
};

export function icon(name) {
  const [node, use] = ["svg", "use"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
  node.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#${name}`);
  node.append(use);
  return node;
}

/** Set a text, only if it differs, so that live regions speak once. */
export function write(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

export function hide(flags) {
  for (const [id, hidden] of Object.entries(flags)) $(id).hidden = Boolean(hidden);
}

export function duration(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

export function bytes(number) {
  if (number < 999500) return `${Math.max(1, Math.round(number / 1000))} kB`;
  return `${(number / 1e6).toFixed(number < 9.95e6 ? 1 : 0)} MB`;
}

export function pause(milliseconds, signal) {
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

export function debounce(action, milliseconds) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(action, milliseconds);
  };
}

/** Call the action once before the next frame, however often it is asked for. */
export function perFrame(action) {
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
