/**
 * Every bit that Dhow uses of marks that the kernel keeps on packets and connections. Whoever else marks
 * packets on a node (a VPN, a mesh) stays clear of these, and new uses are added here.
 *
 * The packet mark as a whole is scratch space while the first packet of a connection to a service passes
 * the chains of services/structure.ts; they leave it at 0. What others have set on that one packet is lost.
 */
export const CONNECTION_MARK = {
  /** The client's address is hidden behind the node's: its answers have to come back this way. */
  hidden: 0x4000_0000,
  /** The packet mark is in use as scratch space; gone before the packet is routed on. */
  scratch: 0x2000_0000,
} as const;
