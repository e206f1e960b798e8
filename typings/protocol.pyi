# Worker scripts run from their own folder, so that they import their neighbour under this name.
from model_adapters.workers.protocol import *  # noqa: F403
