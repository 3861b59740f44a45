/** The server that served this page: its token, its JSON, and its refusals in words. */

/** Something that went wrong, said for the person before the screen. */
export class Problem extends Error {
  /**
   * @param {string} title one sentence
   * @param {string} detail what to do about it
   * @param {{status?: number, retryAfter?: number, final?: boolean}} more retryAfter in seconds
   */
  constructor(title, detail = "", { status = 0, retryAfter = undefined, final = false } = {}) {
    super(title);
    Object.assign(this, { title, detail, status, retryAfter, final });
  }
}

const TOKEN = "mien-token";

/** The token of the link's fragment, which is then taken out of the address bar and of what is shared. */
function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem(TOKEN, given);
    history.replaceState(null, "", location.pathname + location.search);
  }
  return given ?? sessionStorage.getItem(TOKEN);
}

export class Api {
  #token = takeToken();

  /** A response that is a success; a Problem otherwise. */
  async request(path, { headers = {}, ...options } = {}) {
    const sent = this.#token ? { ...headers, Authorization: `Bearer ${this.#token}` } : headers;
    let response;
    try {
      response = await fetch(path, { cache: "no-store", ...options, headers: sent });
    } catch (error) {
      if (options.signal?.aborted) throw error;
      throw new Problem("The server does not answer.", "Is Mien still running?");
    }
    if (!response.ok) throw await asProblem(response);
    return response;
  }

  async state(signal) {
    return (await this.request("/api/state", { signal })).json();
  }

  /** A portrait's picture as a blob: address, because an <img> sends no token. */
  async picture(path) {
    return URL.createObjectURL(await (await this.request(path)).blob());
  }

  /** @param {File} file @returns {Promise<{id: string, name: string, image: string, notes: string[]}>} */
  async addPortrait(file) {
    const name = encodeURIComponent(file.name.replace(/\.[^.]*$/, "")).slice(0, 120);
    const headers = { "Content-Type": file.type, "X-Name": name };
    return (await this.request("/api/portraits", { method: "POST", body: file, headers })).json();
  }

  /** @returns {Promise<{answer: string, location: string}>} */
  async openSession(offer, signal) {
    const headers = { "Content-Type": "application/sdp" };
    const response = await this.request("/session", { method: "POST", body: offer, headers, signal });
    return { answer: await response.text(), location: response.headers.get("Location") };
  }

  /** Also while the page is being left. */
  async closeSession(location) {
    await this.request(location, { method: "DELETE", keepalive: true }).catch(() => {});
  }
}

async function asProblem(response) {
  const { status } = response;
  const body = await response.json().catch(() => ({}));
  const retryAfter = Number.parseFloat(response.headers.get("Retry-After")) || undefined;
  const more = { status, retryAfter, final: status !== 429 && status < 500 };
  if (status === 401 || status === 403) {
    const how = "Open the link that Mien printed when it started: it ends in #token=…";
    return new Problem("This server asks for its token.", how, more);
  }
  const known = { 429: "Too many requests.", 503: "The server is full." }[status];
  return new Problem(sentence(body.title ?? known ?? `The server refused (${status}).`), body.detail ?? "", more);
}

function sentence(text) {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
