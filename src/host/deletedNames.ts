/** Names of files that are kept after they were deleted: a time stamp, so that they sort by age, and the old name. */
const stamp = /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-\d{3}Z(-\d+)? /;

/** For a file `name` that is deleted at `time`; `others`: what is kept already. */
export function deletedName(name: string, time: Date, others: readonly string[]): string {
  const moment = time.toISOString().replace(/[:.]/g, "-");
  for (let number = 1; ; number++) {
    const candidate = `${number === 1 ? moment : `${moment}-${number}`} ${name}`;
    if (!others.includes(candidate)) return candidate;
  }
}

/** The oldest of `names` beyond the newest `limit`; names that `deletedName` did not make are left alone. */
export function surplusNames(names: readonly string[], limit: number): readonly string[] {
  const kept = names.filter((name) => stamp.test(name)).sort();
  return kept.slice(0, Math.max(0, kept.length - limit));
}
