// Makes decoding refuse invalid UTF-8 instead of replacing it: what was sent is what is stored, or an
// error (P11). Imported for its effect before any message is decoded.
import { configureTextEncoding } from "@bufbuild/protobuf/wire";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

configureTextEncoding({
  checkUtf8: (text) => text.isWellFormed(),
  encodeUtf8: (text) => encoder.encode(text),
  encodeUtf8Into: (text, target) => encoder.encodeInto(text, target),
  decodeUtf8: (bytes) => decoder.decode(bytes),
});
