export const tableName = "bench-flux-state";
export const apiKey = "re_local_bench";
export const benchAws = {
  region: "us-east-1",
  credentials: { accessKeyId: "local", secretAccessKey: "local" },
};
