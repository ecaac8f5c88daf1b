/** SHA-256, lower-case hex, of parts joined end to end. */
export async function sha256(parts: readonly (string | ArrayBufferView)[]): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', await new Blob(parts as BlobPart[]).arrayBuffer());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
