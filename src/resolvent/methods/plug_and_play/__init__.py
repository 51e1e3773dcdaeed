"""Methods whose prior is a trained denoiser."""
