import ContinuityTransport
import HTTPTypes
import Hummingbird

/// What every answer says to a browser, and what a browser may not send.
///
/// The pages of approval links are the only ones that are meant for browsers. But a browser can be
/// led to any address, with a client certificate that it shows by itself, so the rules hold for all.
struct BrowserMiddleware: RouterMiddleware {
    typealias Context = APIContext

    /// Where an answer has none of its own.
    private static let fields: [(name: String, value: String)] = [
        ("cache-control", "no-store"),
        ("content-security-policy", "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        // The address of an approval's page is a credential.
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        // For browsers that do not know `frame-ancestors`.
        ("x-frame-options", "DENY"),
    ]

    func handle(
        _ request: Request, context: Context,
        next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        var response =
            Self.comesFromElsewhere(request)
            ? Problem(
                .forbidden, "cross-site", "another site's page may not change anything here"
            ).response
            : try await next(request, context)
        for (text, value) in Self.fields {
            guard let name = HTTPField.Name(text), response.headers[name] == nil else { continue }
            response.headers[name] = value
        }
        return response
    }

    /// Whether another site's page sent this to change something. Browsers set the field, and no
    /// page can; whoever is none leaves it out.
    private static func comesFromElsewhere(_ request: Request) -> Bool {
        guard request.method != .get, request.method != .head,
            let name = HTTPField.Name("sec-fetch-site"), let site = request.headers[name]
        else { return false }
        return site != "same-origin" && site != "none"
    }
}
