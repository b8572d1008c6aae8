// The WKV scan as a plain CUDA kernel with a thread for each channel, for comparison with the library's shaders.
// `bench/cuda.ts` builds and runs it. Arguments: B T C of each shape. Prints a line of JSON for each shape and kernel.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

static void check(cudaError_t status) {
  if (status == cudaSuccess) return;
  fprintf(stderr, "Cannot run CUDA: calls must succeed, current error is %s\n", cudaGetErrorString(status));
  exit(1);
}

// The same recurrence as in src/ops/wkv/reference.ts: numerator and denominator at a scale of e^(anchor + age·w).
__global__ void wkv(float* __restrict__ y, float* __restrict__ nextState, const float* __restrict__ decay,
                    const float* __restrict__ bonus, const float* __restrict__ key, const float* __restrict__ value,
                    const float* __restrict__ state, int batch, int time, int channels) {
  const int id = blockIdx.x * blockDim.x + threadIdx.x;
  if (id >= batch * channels) return;
  const int b = id / channels, c = id % channels;
  const float w = decay[c], u = bonus[c];
  const size_t row = 4 * (size_t)b * channels + c;
  float numerator = state[row], denominator = state[row + channels];
  float anchor = state[row + 2 * channels], age = state[row + 3 * channels];
  size_t at = (size_t)b * time * channels + c;
  for (int t = 0; t < time; t++, at += channels) {
    const float k = key[at], v = value[at];

    const float past = anchor + age * w;
    const float top = fmaxf(past, u + k);
    const float kept = expf(past - top), share = expf(u + k - top);
    y[at] = (kept * numerator + share * v) / (kept * denominator + share);

    const float decayed = anchor + (age + 1) * w;
    const float above = fmaxf(decayed, k);
    const float older = expf(decayed - above), added = expf(k - above);
    numerator = older * numerator + added * v;
    denominator = older * denominator + added;
    anchor = k > decayed ? k : anchor;
    age = k > decayed ? 0 : age + 1;
  }
  nextState[row] = numerator;
  nextState[row + channels] = denominator;
  nextState[row + 2 * channels] = anchor;
  nextState[row + 3 * channels] = age;
}

// The median time of a run, in ms: runs are queued until they take 4 ms, so that overhead matters little.
template <typename Run>
static double medianMs(Run run) {
  cudaEvent_t start, end;
  check(cudaEventCreate(&start));
  check(cudaEventCreate(&end));
  const auto time = [&](int runs) {
    // The work before the first event keeps the GPU busy until the rest has been queued.
    for (int i = 0; i < runs; i++) run();
    check(cudaEventRecord(start));
    for (int i = 0; i < runs; i++) run();
    check(cudaEventRecord(end));
    check(cudaEventSynchronize(end));
    float ms;
    check(cudaEventElapsedTime(&ms, start, end));
    return ms / runs;
  };
  const int runs = std::min(128, (int)std::ceil(4 / time(1)));
  std::vector<double> samples;
  for (int i = 0; i < 7; i++) samples.push_back(time(runs));
  std::sort(samples.begin(), samples.end());
  check(cudaEventDestroy(start));
  check(cudaEventDestroy(end));
  return samples[3];
}

// Recomputes the first sequence's first channel in double precision.
static double error(const std::vector<float>& y, const std::vector<float>& key, const std::vector<float>& value, double w,
                    double u, int time, int channels) {
  double sum = 0, weight = 0, exponent = -1e38, worst = 0, scale = 0;
  for (int t = 0; t < time; t++) {
    const double k = key[(size_t)t * channels], v = value[(size_t)t * channels];
    const double top = std::max(exponent, u + k), kept = std::exp(exponent - top), share = std::exp(u + k - top);
    const double wanted = (kept * sum + share * v) / (kept * weight + share);
    const double off = std::abs(y[(size_t)t * channels] - wanted);
    worst = off <= worst ? worst : off;
    scale = std::max(scale, std::abs(wanted));
    const double above = std::max(exponent + w, k), older = std::exp(exponent + w - above), added = std::exp(k - above);
    sum = older * sum + added * v;
    weight = older * weight + added;
    exponent = above;
  }
  return worst / scale;
}

static float* put(const std::vector<float>& numbers) {
  float* memory;
  check(cudaMalloc(&memory, numbers.size() * sizeof(float)));
  check(cudaMemcpy(memory, numbers.data(), numbers.size() * sizeof(float), cudaMemcpyHostToDevice));
  return memory;
}

static void print(const char* kernel, int batch, int time, int channels, double ms, double nominal, double traffic) {
  printf("{\"backend\":\"cuda\",\"kernel\":\"%s\",\"batch\":%d,\"length\":%d,\"channels\":%d,\"medianMs\":%.9g,"
         "\"gbPerS\":%.9g,\"trafficGbPerS\":%.9g}\n",
         kernel, batch, time, channels, ms, nominal / ms / 1e6, traffic / ms / 1e6);
}

static void measure(int batch, int time, int channels) {
  const size_t size = (size_t)batch * time * channels, states = 4 * (size_t)batch * channels;
  std::vector<float> decay(channels), key(size), value(size), state(states), y(size);
  const std::vector<float> bonus(channels, 0.5f);
  for (int c = 0; c < channels; c++) decay[c] = -std::exp(-6 + 8.0 * c / channels);
  unsigned bits = 1;
  const auto uniform = [&] { return (bits = bits * 1664525u + 1013904223u) / 4294967296.f * 4 - 2; };
  for (auto& k : key) k = uniform();
  for (auto& v : value) v = uniform();
  for (size_t i = 0; i < states; i++) state[i] = i / channels % 4 == 2 ? -1e38f : 0;

  float *w = put(decay), *u = put(bonus), *k = put(key), *v = put(value), *s = put(state);
  float *out = put(y), *next = put(state);
  const int threads = 64, blocks = (batch * channels + threads - 1) / threads;
  const auto scan = [&] { wkv<<<blocks, threads>>>(out, next, w, u, k, v, s, batch, time, channels); };
  scan();
  check(cudaGetLastError());
  check(cudaMemcpy(y.data(), out, size * sizeof(float), cudaMemcpyDeviceToHost));
  const double off = error(y, key, value, decay[0], bonus[0], time, channels);
  if (!(off <= 1e-4)) {
    fprintf(stderr, "Cannot measure CUDA kernel: its error must be at most 1e-4, current error is %g\n", off);
    exit(1);
  }
  print("serial", batch, time, channels, medianMs(scan), 12.0 * size, 12.0 * size + 8.0 * states);
  const auto copy = [&] { check(cudaMemcpyAsync(out, k, size * sizeof(float), cudaMemcpyDeviceToDevice)); };
  print("copy", batch, time, channels, medianMs(copy), 8.0 * size, 8.0 * size);
  for (float* memory : {w, u, k, v, s, out, next}) check(cudaFree(memory));
}

int main(int count, char** words) {
  for (int i = 1; i + 2 < count; i += 3) measure(atoi(words[i]), atoi(words[i + 1]), atoi(words[i + 2]));
}
