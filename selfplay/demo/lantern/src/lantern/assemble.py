"""From settings to an application: what `python -m lantern` serves."""

from lantern.admin.health import mount_admin
from lantern.app import App
from lantern.config.settings import Settings
from lantern.middleware.access_log import access_log
from lantern.middleware.security_headers import security_headers
from lantern.proxy.forward import Forward
from lantern.runtime.counters import Counters
from lantern.runtime.identity import Identity
from lantern.sessions.middleware import sessions
from lantern.sessions.store import SessionStore
from lantern.static.files import StaticFiles


def assemble(settings: Settings, identity: Identity, counters: Counters) -> App:
    """The application that the settings describe. Raises ConfigError for what can't work."""
    app = App()
    if settings.access_log:
        app.use(access_log())
    if settings.security.enabled:
        app.use(security_headers(settings.security))
    if settings.sessions is not None:
        app.use(sessions(settings.sessions, SessionStore(settings.sessions.ttl_s)))
    if settings.admin.enabled:
        mount_admin(app.router, settings, identity, counters)
    # Longest prefix first, so that `/assets` is asked before `/`.
    mounts = [(mount.prefix, Forward(mount)) for mount in settings.proxy]
    mounts += [(mount.prefix, StaticFiles(mount)) for mount in settings.static]
    for prefix, endpoint in sorted(mounts, key=lambda mount: -len(mount[0])):
        app.router.mount(prefix, endpoint)
    return app
