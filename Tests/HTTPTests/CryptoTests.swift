import ContinuityCrypto
import Testing

@Suite struct CryptoTests {
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ])
    func sha256GivesTheVectorsOfFIPS180(message: String, digest: String) {
        #expect(hexString(SHA256.digest(Array(message.utf8))) == digest)
        Array(message.utf8).withUnsafeBytes { #expect(hexString(SHA256.digest($0)) == digest) }
    }

    @Test func hmacGivesTheVectorsOfRFC4231() {
        let cases: [(key: [UInt8], message: [UInt8], code: String)] = [
            (
                [UInt8](repeating: 0x0B, count: 20), Array("Hi There".utf8),
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
            ),
            (
                Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
            ),
            (
                [UInt8](repeating: 0xAA, count: 20), [UInt8](repeating: 0xDD, count: 50),
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
            ),
            (
                [UInt8](repeating: 0xAA, count: 131),
                Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
            ),
        ]
        for (key, message, code) in cases {
            #expect(hexString(HMACSHA256.authenticate(message, key: key)) == code)
        }
    }

    /// The code of an empty key and message is well known: it must not come from an earlier key.
    @Test func hmacTakesAnEmptyKey() {
        let code = "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"
        #expect(hexString(HMACSHA256.authenticate([], key: [])) == code)
    }

    @Test func hexIsLowerCaseWithLeadingZeros() {
        #expect(hexString([0, 1, 0xAB, 0xFF]) == "0001abff")
        #expect(hexString([]) == "")
    }

    @Test func comparisonLooksAtEveryByte() {
        #expect(constantTimeEqual([], []))
        #expect(constantTimeEqual([1, 2, 3], [1, 2, 3]))
        #expect(!constantTimeEqual([1, 2, 3], [1, 2, 4]))
        #expect(!constantTimeEqual([0, 2, 3], [1, 2, 3]))
        #expect(!constantTimeEqual([1, 2], [1, 2, 3]))
    }

    @Test func randomBytesHaveTheirLengthAndDiffer() {
        #expect(randomBytes(0) == [])
        #expect(randomBytes(32).count == 32)
        #expect(randomBytes(32) != randomBytes(32))
    }
}
