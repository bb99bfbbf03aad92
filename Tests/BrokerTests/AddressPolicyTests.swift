import ContinuityHTTP
import Testing

@Suite("Addresses that hooks may reach")
struct AddressPolicyTests {
    @Test(
        "what is reachable from anywhere is allowed",
        arguments: [
            [8, 8, 8, 8], [93, 184, 216, 34], [172, 32, 0, 1], [100, 128, 0, 1],
            [168, 63, 129, 17], [0x2A, 0, 0x14, 0x50, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        ] as [[UInt8]])
    func open(address: [UInt8]) {
        #expect(AddressPolicy.publicOnly.allows(address))
    }

    @Test(
        "this machine and private networks only where granted",
        arguments: [
            [127, 0, 0, 1], [10, 1, 2, 3], [172, 16, 0, 1], [192, 168, 1, 1], [100, 64, 0, 1],
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
            [0xFD, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 127, 0, 0, 1],
            [0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1],
        ] as [[UInt8]])
    func inner(address: [UInt8]) {
        #expect(!AddressPolicy.publicOnly.allows(address))
        #expect(AddressPolicy.privateToo.allows(address))
    }

    @Test(
        "link-local addresses and metadata never",
        arguments: [
            [169, 254, 169, 254], [169, 254, 0, 1], [0, 0, 0, 0], [224, 0, 0, 1],
            [255, 255, 255, 255], [100, 100, 100, 200], [168, 63, 129, 16],
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 168, 63, 129, 16],
            [0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0, 168, 63, 129, 16],
            [0, 0x64, 0xFF, 0x9B, 0, 1, 0, 0, 0, 0, 0, 0, 8, 8, 8, 8],
            [0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0x5E, 0xFE, 169, 254, 169, 254],
            [0x20, 0x01, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0, 0x56, 0x01, 0x56, 0x01],
            [0xFD, 0x20, 0, 0xCE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x54],
            [0xFD, 0, 0, 0xC1, 0, 0, 0, 0, 0, 0, 0, 0, 0xA9, 0xFE, 0xA9, 0xFE],
            [0xFD, 0, 0xA9, 0xFE, 0xA9, 0xFE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
            [0xFD, 0, 0, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x42],
            [0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
            [0xFD, 0, 0x0E, 0xC2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x54],
            [0xFE, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 169, 254, 169, 254],
            [0x20, 0x02, 169, 254, 169, 254, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            [],
        ] as [[UInt8]])
    func never(address: [UInt8]) {
        #expect(!AddressPolicy.publicOnly.allows(address))
        #expect(!AddressPolicy.privateToo.allows(address))
    }

    @Test("addresses are judged as they are written, in every spelling")
    func literals() {
        let refused = ["127.0.0.1", "10.0.0.5", "::1", "fd12::1", "localhost", "db.LocalHost."]
        for host in refused {
            #expect(AddressPolicy.publicOnly.verdict(literal: host) == .refused(address: host))
            #expect(AddressPolicy.privateToo.verdict(literal: host) == .allowed)
        }
        #expect(AddressPolicy.publicOnly.verdict(literal: "8.8.8.8") == .allowed)
        #expect(
            AddressPolicy.privateToo.verdict(literal: "169.254.169.254")
                == .refused(address: "169.254.169.254"))
        // What a name leads to only a look-up can tell.
        #expect(AddressPolicy.publicOnly.verdict(literal: "db.example.org") == nil)
    }

    @Test("a name is looked up, and nothing is connected to")
    func names() async {
        #expect(
            await AddressPolicy.publicOnly.verdict(resolving: "no-such-host.invalid")
                == .unresolved)
        #expect(
            await AddressPolicy.publicOnly.verdict(resolving: "10.0.0.5")
                == .refused(address: "10.0.0.5"))
    }
}
