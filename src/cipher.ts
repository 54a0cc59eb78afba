/** Secret-key and Diffie-Hellman primitives as the rest of Headwater sees them; handed in like `Crypto`. */
export interface Cipher {
  /** HMAC-SHA-256 (RFC 2104), 32 bytes. */
  hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array;
  /** AES-256-GCM: ciphertext and its 16-byte tag. Key of 32 bytes, nonce of 12. */
  seal(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array;
  /** The plaintext; undefined where the tag does not fit key, nonce, aad and ciphertext. */
  open(
    key: Uint8Array,
    nonce: Uint8Array,
    aad: Uint8Array,
    sealed: Uint8Array,
  ): Uint8Array | undefined;
  /**
   * X25519 (RFC 7748) of a 32-byte secret and another's public key; undefined where the result is
   * all zero (RFC 9180 section 7.1.4) or the key is not of 32 bytes.
   */
  x25519(secret: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined;
  x25519PublicKey(secret: Uint8Array): Uint8Array;
}

/** What opens sealed bodies for who checks them: a `Cipher`, or one that works ahead of being asked. */
export interface Opener {
  open: Cipher['open'];
  /**
   * Of one that cannot answer at once (WebCrypto): works out what `open` will be asked. Without it
   * `open` answers at any time.
   */
  prepare?(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Promise<void>;
}
