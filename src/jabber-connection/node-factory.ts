import { parse } from '../xml/tokenizer/parse.js';
import { JabberNode, namedNode } from './node.js';

/** Makes nodes. It holds nothing, so an error leaves nothing behind. */
export class NodeFactory {
  /**
   * A node with that name, in that namespace or in that of wherever it is put.
   * @throws BrokerError `XML_BAD_NAME`, `XML_UNSERIALIZABLE`
   */
  newNode(name: string, namespace?: string): JabberNode {
    return JabberNode.of(namedNode(name, namespace));
  }

  /** The node in a string that holds exactly one. @throws BrokerError as `parse()` */
  newNodeFromStr(source: string): JabberNode {
    return JabberNode.of(parse(source));
  }
}
