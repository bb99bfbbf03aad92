import ContinuityCrypto
package import Hummingbird
package import NIOCore

/// A request's context that knows the connection it came by.
package struct TransportContext: RequestContext {
    package var coreContext: CoreRequestContextStorage
    package let channel: any Channel

    package init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
    }
}
