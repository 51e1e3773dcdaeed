/* Requests to the server: its errors, its token, its pictures. */

import { $, clamp, pause, PICTURES, write } from "./basics.js";
import { sentence } from "./words.js";

export class Problem extends Error {
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
export async function send(path, { busy, ...options } = {}) {
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

export const ask = async (path) => (await send(path)).json();

const pictures = new Map();

/** The object URL of a picture of the server; the latest ones are kept, since the server allows no cache. */
export function picture(url) {
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
