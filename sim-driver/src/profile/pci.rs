//! A place on the PCI bus as text.

use std::fmt;

/// A place on the PCI bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PciAddress {
    /// 0 on nearly every machine.
    pub domain: u32,
    /// 0 to 255.
    pub bus: u32,
    /// 0 to 31.
    pub device: u32,
}

impl PciAddress {
    /// `[domain:]bus:device[.function]`, hexadecimal.
    pub fn parse(text: &str) -> Option<Self> {
        let hexadecimal = |digits: &str| match digits.len() {
            1..=8 => u32::from_str_radix(digits, 16).ok(),
            _ => None,
        };
        let (address, function) = text.rsplit_once('.').unwrap_or((text, "0"));
        let mut parts = address.rsplit(':').map(hexadecimal);
        let device = parts.next()??;
        let bus = parts.next()??;
        let domain = parts.next().unwrap_or(Some(0))?;
        let fits = bus < 256 && device < 32 && function == "0" && parts.next().is_none();
        fits.then_some(Self {
            domain,
            bus,
            device,
        })
    }
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:04X}:{:02X}:{:02X}.0",
            self.domain, self.bus, self.device
        )
    }
}

#[cfg(test)]
mod tests {
    use super::PciAddress;

    #[test]
    fn the_usual_forms_are_read_and_written_as_the_driver_does() {
        let address = PciAddress {
            domain: 0,
            bus: 0x3b,
            device: 0,
        };
        for form in [
            "0000:3b:00.0",
            "0000:3B:00.0",
            "3b:00",
            "00000000:3b:00.0",
            "3b:0.0",
        ] {
            assert_eq!(PciAddress::parse(form), Some(address), "{form}");
        }
        assert_eq!(address.to_string(), "0000:3B:00.0");
        for wrong in [
            "",
            "3b",
            "0000:3b:00.1",
            "0000:3b:20.0",
            "g0:00.0",
            "1:2:3:4.0",
            "0000:100:00.0",
        ] {
            assert_eq!(PciAddress::parse(wrong), None, "{wrong}");
        }
    }
}
