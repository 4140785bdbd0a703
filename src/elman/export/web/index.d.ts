export interface Facts {
  cell: "rnn_relu" | "rnn_tanh" | "gru" | "lstm";
  layers: number;
  hidden: number;
  vocab: number;
  embedding: number;
  /** Of a weight: 32 of floats; 8, 6, 5 or 4 of integers. */
  bits: number;
  /** The id that is read before a text. */
  start: number;
  kind: "characters" | "bytes" | "subwords";
  normalisation: "none" | "book";
  /** Each line is a text by itself. */
  records: boolean;
}
export interface Settings {
  /** Tokens to write, at most; a record may end earlier. */
  length?: number;
  seed?: number | bigint;
  /** Divides the logits; 0 is greedy. */
  temperature?: number;
  /** Keep the likeliest; 0: all. */
  topK?: number;
  /** Keep the likeliest up to this probability; 0: all. */
  topP?: number;
  /** The number of the text among those of one seed. */
  stream?: number;
}
export interface Cost {
  text: string;
  bits: number;
  id: number;
}
export interface Next {
  text: string;
  id: number;
  p: number;
}
export declare class Model {
  readonly facts: Facts;
  /** Give the memory back; the model is of no use afterwards. */
  close(): void;
  encode(text: string): number[];
  decode(ids: number[]): string;
  /** The bytes of ids, as UTF-8. */
  bytes(ids: number[]): Uint8Array;
  normalise(text: string): string;
  /** What follows a prompt: the text of `elman generate --seed`. */
  generate(prompt?: string, settings?: Settings): string;
  /** The same, in pieces of `step` tokens. */
  stream(prompt?: string, settings?: Settings & { step?: number }): AsyncGenerator<string, void, undefined>;
  score(text: string): { bits: number; tokens: Cost[] };
  /** What may come after a text, likeliest first. */
  after(text: string, count?: number): Next[];
  /** The code of a short message, alone and without a header: the bytes of `elman message encode -m MODEL`. */
  compress(message: string | Uint8Array): Uint8Array;
  /** The message of a code, of at most `most` bytes. Throws where no such message has it. */
  decompress(code: Uint8Array, most?: number): string;
  decompressBytes(code: Uint8Array, most?: number): Uint8Array;
  /** The hidden state of a layer after each token of a text. */
  hidden(text: string, layer?: number): Float32Array[];
}
/** Open a model: the package's own, or one of these bytes, which `elman export plain` writes. */
export declare function load(container?: Uint8Array | ArrayBuffer, wasm?: BufferSource): Promise<Model>;
