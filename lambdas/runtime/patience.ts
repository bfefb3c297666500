/**
 * How long a call of an AWS service may take before it is tried again: by itself the SDK waits for ever, and a function
 * with it. An answer takes milliseconds; what takes seconds does not come.
 */
export const patience = {
  requestHandler: { connectionTimeout: 2000, requestTimeout: 5000, throwOnRequestTimeout: true },
};
