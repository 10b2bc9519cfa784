/** A key of Curve25519 as text: base64, spelled in the one way that it has. */
export const isWireguardKey = (text: string): boolean => {
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === WIREGUARD_KEY_BYTES && bytes.toString('base64') === text;
};

export const WIREGUARD_KEY_BYTES = 32;
