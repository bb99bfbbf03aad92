/// The SHA-256 function that the core is given, since it links no library itself.
package struct ContentDigest: Sendable {
    package let sha256: @Sendable (UnsafeRawBufferPointer) -> [UInt8]

    package init(sha256: @escaping @Sendable (UnsafeRawBufferPointer) -> [UInt8]) {
        self.sha256 = sha256
    }

    /// The digest in lower-case hexadecimal, 64 characters.
    package func hex(_ bytes: [UInt8]) -> String {
        let digest = bytes.withUnsafeBytes { sha256($0) }
        return String(unsafeUninitializedCapacity: digest.count * 2) { buffer in
            for (index, byte) in digest.enumerated() {
                buffer[2 * index] = CanonicalWriter.hexDigit(byte >> 4)
                buffer[2 * index + 1] = CanonicalWriter.hexDigit(byte & 15)
            }
            return digest.count * 2
        }
    }
}
