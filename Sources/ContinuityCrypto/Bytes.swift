import COpenSSL

/// Lower-case hexadecimal, two digits for each byte.
package func hexString(_ bytes: [UInt8]) -> String {
    String(unsafeUninitializedCapacity: bytes.count * 2) { output in
        var position = 0
        for byte in bytes {
            output[position] = hexDigit(byte >> 4)
            output[position + 1] = hexDigit(byte & 15)
            position += 2
        }
        return position
    }
}

private func hexDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
}

/// Compares secrets in a time that depends on their length alone, never on where they differ.
package func constantTimeEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    guard left.count == right.count else { return false }
    return CRYPTO_memcmp(left, right, left.count) == 0
}

/// `count` bytes from libcrypto's generator, fit for keys and tokens.
package func randomBytes(_ count: Int) -> [UInt8] {
    precondition(count >= 0 && count <= 1 << 20, "ask for at most 1 MiB of random bytes")
    return [UInt8](unsafeUninitializedCapacity: count) { output, written in
        let result = RAND_bytes(output.baseAddress, Int32(count))
        precondition(result == 1, "libcrypto has no entropy: is getrandom() allowed?")
        written = count
    }
}
