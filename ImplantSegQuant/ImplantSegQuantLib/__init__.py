"""ImplantSegQuant: degradation and osseointegration measured on segmented implants."""
