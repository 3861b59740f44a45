"""The models that Mien trains."""

from mien.train.model.config import MODEL_NAME, MODEL_VERSION, LiveConfig
from mien.train.model.live import LiveModel, LiveOutput

__all__ = ["MODEL_NAME", "MODEL_VERSION", "LiveConfig", "LiveModel", "LiveOutput"]
