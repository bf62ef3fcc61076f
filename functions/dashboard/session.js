// Who is signed in: Supabase Auth by password or magic link, and tokens that are renewed before they end.
//
// Kept in sessionStorage: it ends with the tab. Nothing of it is ever put into an address.

import { answered, Problem } from "./api.js";

const KEPT_AS = "crontick.session";
const RENEW_BEFORE_SECONDS = 90;

/** Takes tokens, or an error, from the address and removes them from it at once; null when it carries none. */
export function takeFromAddress() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const carries = ["access_token", "error", "error_description", "error_code"].some((name) => fragment.has(name));
  if (!carries) return null;
  history.replaceState(null, "", location.pathname + location.search);
  return fragment;
}

export class Session {
  constructor(config) {
    this.auth = config.supabase_url ? `${config.supabase_url}/auth/v1/` : null;
    this.key = config.publishable_key;
    this.tokens = stored();
    this.renewing = null;
  }

  get canSignIn() {
    return Boolean(this.auth && this.key);
  }

  get signedIn() {
    return this.tokens !== null;
  }

  /** The e-mail address in the token, for people to read; the API decides by itself who it is. */
  get email() {
    return claims(this.tokens?.access_token)?.email ?? null;
  }

  /** Signs in with what `takeFromAddress` took. Returns the sentence of an error that it carried, or null. */
  accept(fragment) {
    if (!fragment) return null;
    if (fragment.has("access_token")) {
      this.keep({
        access_token: fragment.get("access_token"),
        refresh_token: fragment.get("refresh_token"),
        expires_in: Number(fragment.get("expires_in")) || 3600,
      });
      return null;
    }
    return fragment.get("error_description") || fragment.get("error_code") || fragment.get("error");
  }

  async signIn(email, password) {
    this.keep(await this.ask("token?grant_type=password", { email, password }));
  }

  /** Has a link sent that leads back here. Whether the address is known stays untold, though Auth would say it. */
  async sendLink(email) {
    const back = encodeURIComponent(location.origin + location.pathname);
    try {
      await this.ask(`otp?redirect_to=${back}`, { email, create_user: false });
    } catch (problem) {
      if (problem.code !== "otp_disabled") throw problem;
    }
  }

  /** An access token that is good for a while yet, or null. */
  async token() {
    if (!this.tokens) return null;
    const left = this.tokens.expires_at - Date.now() / 1000;
    if (left > RENEW_BEFORE_SECONDS) return this.tokens.access_token;
    try {
      return (await this.renew()) ?? (left > 0 ? (this.tokens?.access_token ?? null) : null);
    } catch (error) {
      if (left > 0) return this.tokens?.access_token ?? null;
      throw error;
    }
  }

  /** A fresh access token, or null when there is none to be had. One renewal at a time: a refresh token works once. */
  renew() {
    if (!this.tokens?.refresh_token) return Promise.resolve(null);
    this.renewing ??= this.renewNow(this.tokens.refresh_token).finally(() => (this.renewing = null));
    return this.renewing;
  }

  async renewNow(refresh_token) {
    try {
      const answer = await this.ask("token?grant_type=refresh_token", { refresh_token });
      if (this.tokens?.refresh_token !== refresh_token) return null; // signed out, or in again, meanwhile
      this.keep(answer);
      return answer.access_token;
    } catch (error) {
      if (error.status >= 400 && error.status < 500 && error.status !== 429) return null;
      throw error;
    }
  }

  /** Forgets the tokens here at once, and tells Auth, which may be out of reach. */
  async signOut() {
    const token = this.tokens?.access_token;
    this.forget();
    if (token && this.canSignIn) await this.ask("logout?scope=local", {}, token).catch(() => {});
  }

  forget() {
    this.tokens = null;
    try {
      sessionStorage.removeItem(KEPT_AS);
    } catch {
      // Storage may be forbidden; then nothing was kept.
    }
  }

  keep(answer) {
    const life = Number(answer.expires_in) || 3600;
    this.tokens = {
      access_token: answer.access_token,
      refresh_token: answer.refresh_token ?? null,
      expires_at: Date.now() / 1000 + life,
    };
    try {
      sessionStorage.setItem(KEPT_AS, JSON.stringify(this.tokens));
    } catch {
      // Storage may be forbidden: then the session ends with the page.
    }
  }

  async ask(path, body, token = null) {
    if (!this.canSignIn) throw new Problem(0, "no_auth", "This deployment does not know the project's public key.");
    const headers = { apikey: this.key, "Content-Type": "application/json" };
    if (token) headers.Authorization = `Bearer ${token}`;
    const response = await answered(this.auth + path, { method: "POST", headers, body: JSON.stringify(body) });
    if (response.status === 204) return {};
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) throw new Problem(response.status, answer.error_code ?? answer.error ?? "auth", sentence(response, answer));
    return answer;
  }
}

/** What a token claims, unverified: only for display. */
function claims(token) {
  try {
    const part = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(part), (letter) => letter.charCodeAt(0))));
  } catch {
    return null;
  }
}

function stored() {
  try {
    const tokens = JSON.parse(sessionStorage.getItem(KEPT_AS));
    return typeof tokens?.access_token === "string" ? tokens : null;
  } catch {
    return null;
  }
}

function sentence(response, answer) {
  if (response.status === 429) return "Too many attempts. Wait a minute, then try again.";
  return answer.msg ?? answer.error_description ?? answer.message ?? `Supabase Auth answered ${response.status}.`;
}
