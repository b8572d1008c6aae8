// The dev server moves dependencies into files of its own, away from the worker's file beside them.
export default { optimizeDeps: { exclude: ["@seqmix/seqmix"] } };
