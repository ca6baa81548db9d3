/** One pool a token, so that every token is read as it is: [batch, tokens, tokens]. */
export function identityPools(batch: number, tokens: number): Float32Array {
  const weights = new Float32Array(batch * tokens * tokens);
  for (let row = 0; row < batch; row++) {
    for (let t = 0; t < tokens; t++) weights[(row * tokens + t) * tokens + t] = 1;
  }
  return weights;
}
