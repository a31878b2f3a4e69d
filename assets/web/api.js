// Requests to the program.

export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

/** Requests and returns JSON; throws `Refused` with the reason, status 0 without an answer. */
export async function ask(where, options = {}) {
  let answer;
  try {
    answer = await fetch(where, { credentials: "same-origin", ...options });
  } catch {
    throw new Refused(0, "The program does not answer.");
  }
  if (answer.ok) return answer.json();
  const body = await answer.json().catch(() => ({}));
  throw new Refused(answer.status, body.error ?? `The program refused this (${answer.status}).`);
}

export function send(where, body) {
  return ask(where, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

const upload = (file) => ({ method: "POST", headers: { "Content-Type": file.type || "application/octet-stream" }, body: file });

/** The program as the controls see it. */
export const program = {
  waiting: "Sending the picture …",
  state: () => ask("api/state"),
  change: (settings) => send("api/settings", settings),
  neutral: () => ask("api/neutral", { method: "POST" }),
  snapshot: () => ask("api/template/snapshot", { method: "POST" }),
  texture: (file) => ask("api/texture", upload(file)),
  style: (file) => ask("api/style", upload(file)),
  templatePicture: (file) => ask("api/template", upload(file)),
  preview: (name, version) => `api/texture/${encodeURIComponent(name)}?${version}`,
  stylePreview: (name, version) => `api/style/${encodeURIComponent(name)}?${version}`,
};
