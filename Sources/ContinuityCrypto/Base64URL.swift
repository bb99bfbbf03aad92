import Foundation

/// RFC 4648, section 5, without padding: for what stands in addresses and headers.
package func base64URL(_ bytes: [UInt8]) -> String {
    Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
        .replacing("=", with: "")
}

/// The bytes that ``base64URL(_:)`` writes so; `nil` for any other text, so that each has one form.
package func bytes(base64URL text: some StringProtocol) -> [UInt8]? {
    let plain = String(text).replacing("-", with: "+").replacing("_", with: "/")
    let padding = String(repeating: "=", count: (4 - plain.utf8.count % 4) % 4)
    guard let bytes = Data(base64Encoded: plain + padding).map({ [UInt8]($0) }),
        base64URL(bytes) == String(text)
    else { return nil }
    return bytes
}
