/* Peer: how fast this machine reads memory, in bytes per second, best of eight passes over 512 MiB. Decoding reads every
   weight once a token, so this bounds it. Threads: OMP_NUM_THREADS. */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
  const size_t count = (size_t)64 << 20;
  double *values = aligned_alloc(64, count * sizeof *values);
  if (!values) return 1;
#pragma omp parallel for
  for (size_t i = 0; i < count; i++) values[i] = (double)i;
  double best = 0, kept = 0;
  for (int pass = 0; pass < 8; pass++) {
    double sum = 0, seconds = omp_get_wtime();
#pragma omp parallel for simd reduction(+ : sum)
    for (size_t i = 0; i < count; i++) sum += values[i];
    seconds = omp_get_wtime() - seconds;
    kept += sum;
    double rate = (double)(count * sizeof *values) / seconds;
    if (rate > best) best = rate;
  }
  /* The sum is used, so that the compiler has to make it. */
  fprintf(stderr, kept == 1 ? " " : "");
  printf("%.0f\n", best);
  return 0;
}
