/**
 * llama2.c's tokenizer.bin as a tokenizer.json of the usual form (byte-pair encoding with byte fallback, as for Llama 2).
 * llama2.c joins, again and again, the adjacent pair whose joined spelling has the best score; tokenizer.json wants a
 * ranked list of pairs instead. The list below gives the same tokens for every text:
 *
 * - Of all the ways to split a token in two, only one pair can ever be joined into it. No earlier join crosses the borders
 *   of the place where the pair is joined, so inside these borders the text evolves as the token's spelling alone does; the
 *   last join of that is the pair. The list therefore holds one pair for each token that its own spelling leads to (half
 *   of what trying every split would give), and pairs compare like the tokens they give.
 * - Runs of spaces share one score, and llama2.c then takes the leftmost pair, so a run grows from its left end by one
 *   space at a time. Ranking longer runs first among equals does the same.
 *
 * Traps: ids 3..258 are single bytes that are spelled like printable characters; `,` and its like have ids of their own
 * further on, so bytes must not take part in looking up a spelling. Spaces are spelled " " here and "▁" in tokenizer.json.
 */
const firstByteId = 3;
const byteCount = 256;
const specials = ["<unk>", "<s>", "</s>"];
const space = "▁";

/** Format of tokenizer.bin: the longest spelling's length, then for each id score (f32), length (i32) and spelling. */
function readVocabulary(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const tokens = [];
  for (let at = 4; at < bytes.length;) {
    const score = view.getFloat32(at, true);
    const length = view.getInt32(at + 4, true);
    const spelling = bytes.subarray(at + 8, at + 8 + length).toString("utf8");
    tokens.push({ spelling: spelling.replaceAll(" ", space), score });
    at += 8 + length;
  }
  return tokens;
}

/** llama2.c's joining of `spelling` on its own: the last pair when one token is left, else null. */
function lastPair(spelling, scores) {
  const pieces = Array.from(spelling);
  let last = null;
  while (pieces.length > 1) {
    let best = -Infinity;
    let at = -1;
    for (let i = 0; i + 1 < pieces.length; i++) {
      const score = scores.get(pieces[i] + pieces[i + 1]);
      if (score !== undefined && score > best) {
        best = score;
        at = i;
      }
    }
    if (at < 0) return null;
    last = [pieces[at], pieces[at + 1]];
    pieces.splice(at, 2, last.join(""));
  }
  return last;
}

/** The text of tokenizer.json. */
export function convertTokenizer(bytes) {
  const tokens = readVocabulary(bytes);
  const isSpelled = (id) => id >= firstByteId + byteCount;
  const scores = new Map();
  const vocabulary = {};
  tokens.forEach(({ spelling, score }, id) => {
    if (id < specials.length) vocabulary[specials[id]] = id;
    else if (isSpelled(id)) {
      vocabulary[spelling] = id;
      scores.set(spelling, score);
    } else {
      const byte = (id - firstByteId).toString(16).toUpperCase().padStart(2, "0");
      vocabulary[`<0x${byte}>`] = id;
    }
  });

  const merges = tokens
    .filter((_, id) => isSpelled(id))
    .map(({ spelling, score }) => ({ pair: lastPair(spelling, scores), score, length: spelling.length }))
    .filter(({ pair }) => pair !== null)
    .sort((a, b) => b.score - a.score || b.length - a.length)
    .map(({ pair }) => pair.join(" "));

  return JSON.stringify({
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: specials.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "Prepend", prepend: space },
        { type: "Replace", pattern: { String: " " }, content: space },
      ],
    },
    pre_tokenizer: null,
    post_processor: {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
      pair: [
        { SpecialToken: { id: "<s>", type_id: 0 } },
        { Sequence: { id: "A", type_id: 0 } },
        { SpecialToken: { id: "<s>", type_id: 1 } },
        { Sequence: { id: "B", type_id: 1 } },
      ],
      special_tokens: { "<s>": { id: "<s>", ids: [1], tokens: ["<s>"] } },
    },
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: space }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        { type: "Strip", content: " ", start: 1, stop: 0 },
      ],
    },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: "<unk>",
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: true,
      vocab: vocabulary,
      merges,
    },
  });
}
