declare module "asl-validator" {
  /** The package's own types are not in what it publishes; this is what its readme says. */
  export default function validate(
    definition: Record<string, unknown>,
    options?: { checkPaths?: boolean; checkArn?: boolean },
  ): { isValid: boolean; errors: unknown[]; errorsText(separator?: string): string };
}
