// The first bytes of a connection decide what it is, before anything is spent on it.

/** RFC 9113, section 3.4. */
export const HTTP2_PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

export type PrefaceVerdict =
  /** Could still become HTTP/2. */
  | { readonly kind: "incomplete" }
  | { readonly kind: "http2" }
  /** A browser or an HTTP/1 tool on the wrong port. */
  | { readonly kind: "http1" }
  /** The first record of a TLS handshake (RFC 8446, 5.1). */
  | { readonly kind: "tls" }
  | { readonly kind: "garbage" };

const TLS_HANDSHAKE = 0x16;
const HTTP1_START = /^(GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH|TRACE|CONNECT) /;

export function judgePreface(bytes: Buffer): PrefaceVerdict {
  const length = Math.min(bytes.length, HTTP2_PREFACE.length);
  if (bytes.subarray(0, length).equals(HTTP2_PREFACE.subarray(0, length))) {
    return { kind: length === HTTP2_PREFACE.length ? "http2" : "incomplete" };
  }
  if (bytes[0] === TLS_HANDSHAKE) return { kind: "tls" };
  return { kind: HTTP1_START.test(bytes.toString("latin1", 0, 8)) ? "http1" : "garbage" };
}
